package execsvc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// ExecuteRequest says what to run.
type ExecuteRequest struct {
	// Definition is the workflow; the zero value: the one stored under WorkflowID.
	Definition Definition
	// Input is what the workflow is given: a map, or any value that encoding/json writes as an object. Numbers travel as
	// doubles: an integer that a double cannot hold exactly (beyond 2^53) is refused, send it as text.
	Input any
	// ExecutionID is your id, which makes the call idempotent: the same request again answers the execution that is
	// there. Empty: one is made.
	ExecutionID string
	// WorkflowID is your id of the workflow, for history; without a definition the stored workflow to run.
	WorkflowID string
	// WorkflowVersion is the version of the stored workflow; empty: the newest.
	WorkflowVersion string
	// Labels are names and values to find it by.
	Labels map[string]string
	// Priority: higher starts first, -1000 to 1000.
	Priority int32
	// Timeout is the longest the execution may run, pauses not counted; 0: no limit.
	Timeout time.Duration
	// ConcurrencyKey: executions with the same key share a limit.
	ConcurrencyKey string
	// Retry says how failed attempts are repeated at nodes with effects that say nothing of their own; nil: they are not.
	Retry *RetryPolicy
	// ValidateOnly checks everything and stores nothing; the answer's state is then UNSPECIFIED.
	ValidateOnly bool
}

// Execute starts an execution; it returns once the server has it on disk.
//
// Kinds of errors: ErrDefinition (nothing was sent), ErrInvalidArgument with every problem in FieldViolations,
// ErrNotFound (no such stored workflow), ErrAlreadyExists (the id was used with another request), ErrResourceExhausted
// (something is too large, or the queue is full; then with a RetryDelay).
func (c *Client) Execute(ctx context.Context, request *ExecuteRequest) (*Status, error) {
	asked := given(request)
	definition, err := asked.Definition.Message()
	if err != nil {
		return nil, err
	}
	problems := &problems{}
	input := toInput(asked.Input, "input", problems)
	if input == nil {
		input = &structpb.Struct{}
	}
	for _, name := range sortedKeys(asked.Labels) {
		_ = checkText(name, "labels", problems) && checkText(asked.Labels[name], member("labels", name), problems)
	}
	checkText(asked.ExecutionID, "execution_id", problems)
	checkText(asked.WorkflowID, "workflow_id", problems)
	if err := invalid(problems.found); err != nil {
		return nil, err
	}
	id := asked.ExecutionID
	if id == "" {
		id = rand.Text()
	}
	response, err := run(ctx, c, c.executions.Execute, &execsvcv1.ExecuteRequest{
		ExecutionId:     id,
		WorkflowId:      asked.WorkflowID,
		Definition:      definition,
		Input:           input,
		Labels:          asked.Labels,
		Priority:        asked.Priority,
		Timeout:         durationMessage(asked.Timeout),
		ConcurrencyKey:  asked.ConcurrencyKey,
		ValidateOnly:    asked.ValidateOnly,
		Retry:           asked.Retry.message(),
		WorkflowVersion: asked.WorkflowVersion,
	}, repeatedByClient)
	if err != nil {
		return nil, err
	}
	return newStatus(response.GetStatus()), nil
}

// toInput returns an execution's input as protobuf; nil where there is none.
func toInput(value any, path string, problems *problems) *structpb.Struct {
	simple, ok := simplify(value, path, problems)
	switch simple := simple.(type) {
	case nil:
		return nil
	case *structpb.Struct:
		return simple
	case map[string]any:
		return toStruct(simple, path, problems, 0)
	}
	if ok {
		problems.wrongType(path, "an object", simple)
	}
	return nil
}

// Status returns where an execution stands. ErrNotFound: there is no such execution.
func (c *Client) Status(ctx context.Context, executionID string) (*Status, error) {
	response, err := run(ctx, c, c.executions.GetStatus, &execsvcv1.GetStatusRequest{ExecutionId: executionID}, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	return newStatus(response.GetStatus()), nil
}

// Get returns the full record of an execution. ErrNotFound: there is no such execution.
func (c *Client) Get(ctx context.Context, executionID string) (*Execution, error) {
	return c.get(ctx, executionID, execsvcv1.ExecutionView_EXECUTION_VIEW_FULL)
}

// GetBasic returns the record of an execution without definition, input and outputs.
func (c *Client) GetBasic(ctx context.Context, executionID string) (*Execution, error) {
	return c.get(ctx, executionID, execsvcv1.ExecutionView_EXECUTION_VIEW_BASIC)
}

func (c *Client) get(ctx context.Context, executionID string, view execsvcv1.ExecutionView) (*Execution, error) {
	request := &execsvcv1.GetExecutionRequest{ExecutionId: executionID, View: view}
	response, err := run(ctx, c, c.executions.GetExecution, request, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	return newExecution(response.GetExecution()), nil
}

// Wait waits until an execution has ended, and returns its full record. It does not poll: it follows the log, filtered
// to nearly nothing, and goes on through restarts of the server. An execution that FAILED or was STOPPED is returned
// like any other: look at State and Failure.
//
// Only the context limits it. Kinds of errors: ErrDeadlineExceeded and ErrCancelled (by the context; the execution goes
// on all the same), ErrNotFound, ErrUnavailable (the server was away for longer than the reconnect timeout).
func (c *Client) Wait(ctx context.Context, executionID string) (*Execution, error) {
	for {
		log := c.Logs(ctx, executionID, &LogOptions{Tail: 1, MinLevel: LevelError, Follow: true})
		for _, err := range log.All() {
			if err != nil {
				return nil, notEnded(ctx, executionID, err)
			}
		}
		request := &execsvcv1.GetExecutionRequest{
			ExecutionId: executionID, View: execsvcv1.ExecutionView_EXECUTION_VIEW_FULL,
		}
		response, err := repeat(ctx, c, c.getLimited, request, newReconnect(c.timing, c.reconnectTimeout))
		if err != nil {
			return nil, notEnded(ctx, executionID, err)
		}
		// A retry may have let it go on meanwhile.
		if execution := newExecution(response.GetExecution()); execution.State.Terminal() {
			return execution, nil
		}
	}
}

// getLimited is GetExecution with the call timeout for each attempt, within a wait that may have none.
func (c *Client) getLimited(
	ctx context.Context, request *execsvcv1.GetExecutionRequest, options ...grpc.CallOption,
) (*execsvcv1.GetExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout)
	defer cancel()
	return c.executions.GetExecution(ctx, request, options...)
}

// notEnded says what a wait whose time is up has waited for.
func notEnded(ctx context.Context, executionID string, err error) error {
	if own := (*Error)(nil); errors.As(err, &own) && ctx.Err() != nil && own.Code == codes.DeadlineExceeded {
		own.Message = fmt.Sprintf("execution %q had not ended in time", executionID)
	}
	return err
}

// Delete removes an execution that has ended, with its journal and its log; its id may be used again. It is not
// repeated by itself: where the error is ErrUnavailable, it may have taken effect.
//
// Kinds of errors: ErrFailedPrecondition (it has not ended), ErrNotFound.
func (c *Client) Delete(ctx context.Context, executionID string) error {
	request := &execsvcv1.DeleteExecutionRequest{ExecutionId: executionID}
	_, err := run(ctx, c, c.executions.DeleteExecution, request, neverRepeated)
	return err
}

// ListOptions choose executions.
type ListOptions struct {
	// Filter says which ones, in the language of AIP-160 over state, workflow_id, execution_id, create_time, start_time,
	// end_time, priority and labels.KEY; empty: all.
	Filter string
	// OrderBy is "create_time" or "end_time", with " desc" for the newest first; empty: "create_time desc". By end_time
	// only executions that have ended are answered.
	OrderBy string
	// PageSize is how many to fetch at once, up to 1,000; 0 means 100.
	PageSize int32
	// PageToken is the NextToken of the page before, with the other options as they were; empty: the first page.
	PageToken string
}

// defaultPageSize is how many items are fetched at once.
const defaultPageSize = 100

// List yields executions, fetched page by page as they are read; without nodes, definition, input and output. What is
// added or deleted meanwhile shifts nothing. An error ends it; ErrInvalidArgument: filter or order cannot be read.
func (c *Client) List(ctx context.Context, options *ListOptions) iter.Seq2[*Execution, error] {
	return paged(func(token string) (*Page[*Execution], error) {
		page := given(options)
		if token != "" {
			page.PageToken = token
		}
		return c.ListPage(ctx, &page)
	})
}

// ListPage returns one page of what List yields; for those who hand pages on.
func (c *Client) ListPage(ctx context.Context, options *ListOptions) (*Page[*Execution], error) {
	asked := given(options)
	if asked.PageSize == 0 {
		asked.PageSize = defaultPageSize
	}
	response, err := run(ctx, c, c.executions.ListExecutions, &execsvcv1.ListExecutionsRequest{
		Filter: asked.Filter, OrderBy: asked.OrderBy, PageSize: asked.PageSize, PageToken: asked.PageToken,
	}, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	page := &Page[*Execution]{NextToken: response.GetNextPageToken()}
	for _, raw := range response.GetExecutions() {
		page.Items = append(page.Items, newExecution(raw))
	}
	return page, nil
}

// given returns the options, or their zero value for nil.
func given[T any](options *T) T {
	if options == nil {
		var none T
		return none
	}
	return *options
}
