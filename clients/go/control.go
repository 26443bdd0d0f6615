package execsvc

import (
	"context"
	"crypto/rand"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// ControlOptions are what a change of an execution's state may say beside the change; nil stands for none.
type ControlOptions struct {
	// Reason is why, for the log.
	Reason string
	// ExpectedState: act only if this is the state; ErrAborted otherwise. Empty: act from any state that allows it.
	ExpectedState State
	// RequestID makes a repeat answer as the first did. Empty: one is made for this call.
	RequestID string
}

// RetryOptions are ControlOptions for Retry.
type RetryOptions struct {
	ControlOptions
	// Input replaces the input for nodes that have not finished; nil: it stays.
	Input any
}

// Pause pauses an execution: nodes under way finish, none starts. It answers with the status after the change.
//
// Kinds of errors: ErrFailedPrecondition (it is not RUNNING), ErrAborted (not in ExpectedState), ErrNotFound.
func (c *Client) Pause(ctx context.Context, executionID string, options *ControlOptions) (*Status, error) {
	return c.control(ctx, executionID, options, &execsvcv1.ControlRequest{
		Action: &execsvcv1.ControlRequest_Pause{Pause: &execsvcv1.PauseAction{}},
	})
}

// Resume resumes a paused execution.
//
// Kinds of errors: ErrFailedPrecondition (it is not PAUSED), ErrAborted (not in ExpectedState), ErrNotFound.
func (c *Client) Resume(ctx context.Context, executionID string, options *ControlOptions) (*Status, error) {
	return c.control(ctx, executionID, options, &execsvcv1.ControlRequest{
		Action: &execsvcv1.ControlRequest_Resume{Resume: &execsvcv1.ResumeAction{}},
	})
}

// Stop stops an execution: what is under way is cancelled.
//
// Kinds of errors: ErrFailedPrecondition (it has ended already), ErrAborted (not in ExpectedState), ErrNotFound.
func (c *Client) Stop(ctx context.Context, executionID string, options *ControlOptions) (*Status, error) {
	return c.control(ctx, executionID, options, &execsvcv1.ControlRequest{
		Action: &execsvcv1.ControlRequest_Stop{Stop: &execsvcv1.StopAction{}},
	})
}

// Retry lets an execution go on from what failed or was stopped; nodes that have finished keep their results.
//
// Kinds of errors: ErrFailedPrecondition (it is neither FAILED nor STOPPED), ErrInvalidArgument (the input does not fit
// the workflow), ErrResourceExhausted (the queue is full), ErrAborted (not in ExpectedState), ErrNotFound.
func (c *Client) Retry(ctx context.Context, executionID string, options *RetryOptions) (*Status, error) {
	asked := given(options)
	problems := &problems{}
	input := toInput(asked.Input, "retry.input", problems)
	if err := invalid(problems.found); err != nil {
		return nil, err
	}
	return c.control(ctx, executionID, &asked.ControlOptions, &execsvcv1.ControlRequest{
		Action: &execsvcv1.ControlRequest_Retry{Retry: &execsvcv1.RetryAction{Input: input}},
	})
}

// control sends a change; the request id makes it safe to repeat.
func (c *Client) control(
	ctx context.Context, executionID string, options *ControlOptions, request *execsvcv1.ControlRequest,
) (*Status, error) {
	asked := given(options)
	problems := &problems{}
	request.ExecutionId = executionID
	request.Reason = asked.Reason
	request.ExpectedState = asked.ExpectedState.number("expected_state", problems)
	request.RequestId = asked.RequestID
	checkText(asked.Reason, "reason", problems)
	if err := invalid(problems.found); err != nil {
		return nil, err
	}
	if request.RequestId == "" {
		request.RequestId = rand.Text()
	}
	response, err := run(ctx, c, c.executions.Control, request, repeatedByClient)
	if err != nil {
		return nil, err
	}
	return newStatus(response.GetStatus()), nil
}
