package execsvc

import (
	"bytes"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// Status is the short form of an execution.
type Status struct {
	ExecutionID string
	// WorkflowID is empty where none was given.
	WorkflowID string
	State      State
	// CurrentNode is the node that started last among those running, else the one that finished last.
	CurrentNode  string
	RunningNodes []string
	// Progress is 0 to 1; it never goes down, and is 1 exactly when COMPLETED.
	Progress float64
	// Message is a line for people: why it waits, what it does, or why it failed.
	Message    string
	CreateTime time.Time
	// StartTime is zero before the execution first ran.
	StartTime time.Time
	// EndTime is zero until it has ended.
	EndTime time.Time
	Raw     *execsvcv1.ExecutionStatus
}

func newStatus(raw *execsvcv1.ExecutionStatus) *Status {
	return &Status{
		ExecutionID:  raw.GetExecutionId(),
		WorkflowID:   raw.GetWorkflowId(),
		State:        enumName[State](raw.GetState()),
		CurrentNode:  raw.GetCurrentNode(),
		RunningNodes: raw.GetRunningNodes(),
		Progress:     raw.GetProgress(),
		Message:      raw.GetMessage(),
		CreateTime:   plainTime(raw.GetCreateTime()),
		StartTime:    plainTime(raw.GetStartTime()),
		EndTime:      plainTime(raw.GetEndTime()),
		Raw:          raw,
	}
}

// Failure is why an execution or a node failed. It is data, not an error: the call that reports it has succeeded.
type Failure struct {
	// NodeID is the node whose failure it was; empty if none's.
	NodeID string
	// Type is the stable name of the kind of failure, UPPER_SNAKE_CASE.
	Type    string
	Message string
	// Retryable tells whether another attempt could succeed.
	Retryable bool
	// Attempt is the one that failed, from 1; 0 where no node failed.
	Attempt int
	Raw     *execsvcv1.ExecutionError
}

func newFailure(raw *execsvcv1.ExecutionError) *Failure {
	if raw == nil {
		return nil
	}
	return &Failure{
		NodeID: raw.GetNodeId(), Type: raw.GetType(), Message: raw.GetMessage(),
		Retryable: raw.GetRetryable(), Attempt: int(raw.GetAttempt()), Raw: raw,
	}
}

// Usage is how many tokens language models have used.
type Usage struct {
	InputTokens, OutputTokens int64
	// TotalTokens is as the provider counts it; it need not be the sum of the other two.
	TotalTokens int64
}

func newUsage(raw *execsvcv1.TokenUsage) *Usage {
	if raw == nil {
		return nil
	}
	return &Usage{InputTokens: raw.GetInputTokens(), OutputTokens: raw.GetOutputTokens(), TotalTokens: raw.GetTotalTokens()}
}

// NodeRun is what the journal holds of one node.
type NodeRun struct {
	NodeID string
	// Type of the node: "llm", "transform", …
	Type  string
	State NodeState
	// Attempt counts the attempts made, the running one included; 0 before the first.
	Attempt   int
	StartTime time.Time
	EndTime   time.Time
	// Output is the node's result as plain Go; nil until COMPLETED, and in the basic view.
	Output any
	// Error is also set where the node failed and on_error let the execution go on.
	Error *Failure
	// Usage is nil where the node called no model.
	Usage *Usage
	// Branch is the one a condition chose; empty for other nodes.
	Branch string
	Raw    *execsvcv1.NodeRun
}

func newNodeRun(raw *execsvcv1.NodeRun) *NodeRun {
	return &NodeRun{
		NodeID:    raw.GetNodeId(),
		Type:      raw.GetType(),
		State:     enumName[NodeState](raw.GetState()),
		Attempt:   int(raw.GetAttempt()),
		StartTime: plainTime(raw.GetStartTime()),
		EndTime:   plainTime(raw.GetEndTime()),
		Output:    plainValue(raw.GetOutput()),
		Error:     newFailure(raw.GetError()),
		Usage:     newUsage(raw.GetUsage()),
		Branch:    raw.GetBranch(),
		Raw:       raw,
	}
}

// RetryPolicy says how often, and how far apart, a failed attempt is repeated. Zero values stand for the defaults.
type RetryPolicy struct {
	// MaxAttempts in all, the first included: 1 to 100; 0 means 1.
	MaxAttempts int32
	// InitialBackoff is the wait before the second attempt; 0 means 1 s.
	InitialBackoff time.Duration
	// Multiplier from one wait to the next, at least 1; 0 means 2.
	Multiplier float64
	// MaxBackoff is the longest wait between two attempts; 0 means 60 s.
	MaxBackoff time.Duration
	// NonRetryable are error types that are never repeated, besides those that cannot succeed.
	NonRetryable []string
}

func newRetryPolicy(raw *execsvcv1.RetryPolicy) *RetryPolicy {
	if raw == nil {
		return nil
	}
	return &RetryPolicy{
		MaxAttempts:    raw.GetMaxAttempts(),
		InitialBackoff: raw.GetInitialBackoff().AsDuration(),
		Multiplier:     raw.GetMultiplier(),
		MaxBackoff:     raw.GetMaxBackoff().AsDuration(),
		NonRetryable:   raw.GetNonRetryable(),
	}
}

func (p *RetryPolicy) message() *execsvcv1.RetryPolicy {
	if p == nil {
		return nil
	}
	return &execsvcv1.RetryPolicy{
		MaxAttempts:    p.MaxAttempts,
		InitialBackoff: durationMessage(p.InitialBackoff),
		Multiplier:     p.Multiplier,
		MaxBackoff:     durationMessage(p.MaxBackoff),
		NonRetryable:   p.NonRetryable,
	}
}

// Execution is the record of an execution; in lists without nodes, definition, input and output.
type Execution struct {
	Status
	// UID tells it apart from an earlier execution of the same id that was deleted.
	UID string
	// DefinitionDigest is the content hash of the definition, lower-case hex.
	DefinitionDigest string
	// Definition is as it was sent; nil in the basic view and in lists.
	Definition *execsvcv1.WorkflowDefinition
	// Input is as it was sent; nil in the basic view and in lists.
	Input map[string]any
	// Output is the result as plain Go: nil, bool, string, int64 for whole numbers up to 2^53, float64, map[string]any
	// or []any. Nil until COMPLETED, in the basic view and in lists. DecodeOutput reads it into a type of your own.
	Output any
	// Failure says why it failed; nil unless FAILED.
	Failure *Failure
	// Nodes are in the order of the definition; empty in lists.
	Nodes  []*NodeRun
	Labels map[string]string
	// Priority: higher runs first.
	Priority int32
	// Timeout is the longest it may run, pauses not counted; 0: no limit.
	Timeout        time.Duration
	ConcurrencyKey string
	// Retry is for nodes with effects that say nothing of their own; nil: failed attempts are not repeated.
	Retry *RetryPolicy
	// Usage is nil where no model was called, and in lists.
	Usage *Usage
	Raw   *execsvcv1.Execution
}

func newExecution(raw *execsvcv1.Execution) *Execution {
	execution := &Execution{
		Status:           *newStatus(raw.GetStatus()),
		UID:              raw.GetUid(),
		DefinitionDigest: raw.GetDefinitionDigest(),
		Definition:       raw.GetDefinition(),
		Output:           plainValue(raw.GetOutput()),
		Failure:          newFailure(raw.GetError()),
		Labels:           raw.GetLabels(),
		Priority:         raw.GetPriority(),
		Timeout:          raw.GetTimeout().AsDuration(),
		ConcurrencyKey:   raw.GetConcurrencyKey(),
		Retry:            newRetryPolicy(raw.GetRetry()),
		Usage:            newUsage(raw.GetUsage()),
		Raw:              raw,
	}
	if raw.GetInput() != nil {
		execution.Input = plainStruct(raw.GetInput())
	}
	for _, node := range raw.GetNodes() {
		execution.Nodes = append(execution.Nodes, newNodeRun(node))
	}
	return execution
}

// Node returns a node of the execution by its id; nil where there is none.
func (e *Execution) Node(id string) *NodeRun { return findNode(e.Nodes, id) }

// DecodeOutput reads the result into a Go value as encoding/json does.
func (e *Execution) DecodeOutput(target any) error { return decode(e.Raw.GetOutput(), target) }

// DecodeOutput reads the node's result into a Go value as encoding/json does.
func (n *NodeRun) DecodeOutput(target any) error { return decode(n.Raw.GetOutput(), target) }

func decode(value *structpb.Value, target any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plainValue(value)); err != nil {
		return err
	}
	return json.Unmarshal(text.Bytes(), target)
}

func findNode(nodes []*NodeRun, id string) *NodeRun {
	for _, node := range nodes {
		if node.NodeID == id {
			return node
		}
	}
	return nil
}

// LogEntry is one entry of an execution's log.
type LogEntry struct {
	// Sequence is the position in the log: 1, 2, 3, … without gaps.
	Sequence int64
	Time     time.Time
	Level    Level
	// NodeID is empty where the entry speaks of the execution.
	NodeID string
	// Attempt of the node, from 1; 0 where there is none.
	Attempt int
	Message string
	// Metadata are facts for programs, such as {"event": "node_completed"}.
	Metadata map[string]any
	Raw      *execsvcv1.LogEntry
}

func newLogEntry(raw *execsvcv1.LogEntry) *LogEntry {
	return &LogEntry{
		Sequence: raw.GetSequence(),
		Time:     plainTime(raw.GetTime()),
		Level:    enumName[Level](raw.GetLevel()),
		NodeID:   raw.GetNodeId(),
		Attempt:  int(raw.GetAttempt()),
		Message:  raw.GetMessage(),
		Metadata: plainStruct(raw.GetMetadata()),
		Raw:      raw,
	}
}

func plainTime(stamp *timestamppb.Timestamp) time.Time {
	if stamp == nil {
		return time.Time{}
	}
	return stamp.AsTime()
}

// durationMessage returns nil for 0, which stands for the default.
func durationMessage(span time.Duration) *durationpb.Duration {
	if span == 0 {
		return nil
	}
	return durationpb.New(span)
}
