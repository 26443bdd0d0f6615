package execsvc

import (
	"context"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// Workflow is a version of a workflow that is stored on the server.
type Workflow struct {
	WorkflowID string
	// Version is the content hash of the definition, lower-case hex.
	Version string
	// Definition is nil in lists, and from CreateWorkflow.
	Definition *execsvcv1.WorkflowDefinition
	// CreateTime is when this version was stored first.
	CreateTime time.Time
	// Created tells whether the call that answered this has just stored it; false if the version was there before.
	Created bool
	Raw     *execsvcv1.Workflow
}

func newWorkflow(raw *execsvcv1.Workflow, created bool) *Workflow {
	return &Workflow{
		WorkflowID: raw.GetWorkflowId(), Version: raw.GetVersion(), Definition: raw.GetDefinition(),
		CreateTime: plainTime(raw.GetCreateTime()), Created: created, Raw: raw,
	}
}

// Validation is what the server says of a definition.
type Validation struct {
	// Valid tells whether Execute would take it.
	Valid bool
	// Problems are what is wrong, in the order of the definition.
	Problems []Problem
	// DefinitionDigest is the content hash, lower-case hex; empty if it is not valid.
	DefinitionDigest string
	Raw              *execsvcv1.ValidateWorkflowResponse
}

// Validate checks a definition. Every problem is answered at once, each with its path; a definition with problems is an
// answer, not an error. ErrDefinition: it cannot even be sent.
func (c *Client) Validate(ctx context.Context, definition Definition) (*Validation, error) {
	message, err := needed(definition)
	if err != nil {
		return nil, err
	}
	request := &execsvcv1.ValidateWorkflowRequest{Definition: message}
	response, err := run(ctx, c, c.workflows.ValidateWorkflow, request, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	validation := &Validation{
		Valid: response.GetValid(), DefinitionDigest: response.GetDefinitionDigest(), Raw: response,
	}
	for _, problem := range response.GetProblems() {
		validation.Problems = append(validation.Problems,
			Problem{Path: problem.GetPath(), Reason: problem.GetReason(), Message: problem.GetMessage()})
	}
	return validation, nil
}

func needed(definition Definition) (*execsvcv1.WorkflowDefinition, error) {
	message, err := definition.Message()
	if err == nil && message == nil {
		problem := Problem{Path: "definition", Reason: "REQUIRED", Message: "is required"}
		return nil, &Error{
			Code: codes.InvalidArgument, Reason: invalidRequest, Message: problem.String(),
			FieldViolations: []Problem{problem}, definition: true,
		}
	}
	return message, err
}

// CreateWorkflow stores a definition as the newest version of a workflow; Execute runs it by WorkflowID. The version is
// the content's hash: storing the same definition again answers the version there is, with Created false.
//
// Kinds of errors: ErrDefinition (nothing was sent), ErrInvalidArgument with every problem in FieldViolations.
func (c *Client) CreateWorkflow(ctx context.Context, workflowID string, definition Definition) (*Workflow, error) {
	message, err := needed(definition)
	if err != nil {
		return nil, err
	}
	request := &execsvcv1.CreateWorkflowRequest{WorkflowId: workflowID, Definition: message}
	response, err := run(ctx, c, c.workflows.CreateWorkflow, request, repeatedByClient)
	if err != nil {
		return nil, err
	}
	return newWorkflow(response.GetWorkflow(), response.GetCreated()), nil
}

// GetWorkflow returns a version of a stored workflow with its definition; the newest for an empty version. ErrNotFound:
// there is no such workflow, or not in this version.
func (c *Client) GetWorkflow(ctx context.Context, workflowID, version string) (*Workflow, error) {
	request := &execsvcv1.GetWorkflowRequest{WorkflowId: workflowID, Version: version}
	response, err := run(ctx, c, c.workflows.GetWorkflow, request, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	return newWorkflow(response.GetWorkflow(), false), nil
}

// ListWorkflowOptions choose stored workflows; nil stands for the newest version of each.
type ListWorkflowOptions struct {
	// WorkflowID lists the versions of this workflow.
	WorkflowID string
	// PageSize is how many to fetch at once, up to 1,000; 0 means 100.
	PageSize int32
	// PageToken is the NextToken of the page before, with the other options as they were; empty: the first page.
	PageToken string
}

// ListWorkflows yields the stored workflows, newest first, fetched page by page as they are read.
func (c *Client) ListWorkflows(ctx context.Context, options *ListWorkflowOptions) iter.Seq2[*Workflow, error] {
	return paged(func(token string) (*Page[*Workflow], error) {
		page := given(options)
		if token != "" {
			page.PageToken = token
		}
		return c.ListWorkflowsPage(ctx, &page)
	})
}

// ListWorkflowsPage returns one page of what ListWorkflows yields; for those who hand pages on.
func (c *Client) ListWorkflowsPage(ctx context.Context, options *ListWorkflowOptions) (*Page[*Workflow], error) {
	asked := given(options)
	if asked.PageSize == 0 {
		asked.PageSize = defaultPageSize
	}
	response, err := run(ctx, c, c.workflows.ListWorkflows, &execsvcv1.ListWorkflowsRequest{
		WorkflowId: asked.WorkflowID, PageSize: asked.PageSize, PageToken: asked.PageToken,
	}, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	page := &Page[*Workflow]{NextToken: response.GetNextPageToken()}
	for _, raw := range response.GetWorkflows() {
		page.Items = append(page.Items, newWorkflow(raw, false))
	}
	return page, nil
}

// NodeType is a kind of node that the server runs.
type NodeType struct {
	Name        string
	Description string
	// ConfigSchema is the JSON Schema (draft 2020-12) of its config.
	ConfigSchema map[string]any
	// Effect tells whether it acts on the world outside.
	Effect bool
	Raw    *execsvcv1.NodeType
}

// NodeTypes returns the node types that the server runs, by name.
func (c *Client) NodeTypes(ctx context.Context) ([]*NodeType, error) {
	response, err := run(ctx, c, c.workflows.ListNodeTypes, &execsvcv1.ListNodeTypesRequest{}, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	var types []*NodeType
	for _, raw := range response.GetNodeTypes() {
		types = append(types, &NodeType{
			Name: raw.GetName(), Description: raw.GetDescription(),
			ConfigSchema: plainStruct(raw.GetConfigSchema()), Effect: raw.GetEffect(), Raw: raw,
		})
	}
	return types, nil
}

// ServerInfo is what the server is and allows.
type ServerInfo struct {
	Version   string
	StartTime time.Time
	// Capabilities are optional abilities by name, for example "store:sqlite".
	Capabilities []string
	// Draining tells whether it is shutting down and takes no new executions.
	Draining bool
	// Limits are sizes in bytes, counts of nodes and executions; field by field as the API documents them.
	Limits *execsvcv1.ServerLimits
	Raw    *execsvcv1.GetServerInfoResponse
}

// ServerInfo returns the server's version, limits and capabilities.
func (c *Client) ServerInfo(ctx context.Context) (*ServerInfo, error) {
	response, err := run(ctx, c, c.server.GetServerInfo, &execsvcv1.GetServerInfoRequest{}, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	return &ServerInfo{
		Version: response.GetVersion(), StartTime: plainTime(response.GetStartTime()),
		Capabilities: response.GetCapabilities(), Draining: response.GetDraining(),
		Limits: response.GetLimits(), Raw: response,
	}, nil
}
