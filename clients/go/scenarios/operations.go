package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	execsvc "github.com/execsvc/execsvc/clients/go"
)

type arguments map[string]any

func (a arguments) text(name string) string {
	text, _ := a[name].(string)
	return text
}

func (a arguments) flag(name string) bool {
	truth, _ := a[name].(bool)
	return truth
}

func (a arguments) number(name string) int64 {
	value, given := a[name]
	if !given {
		return 0
	}
	found, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil {
		panic(err)
	}
	return found
}

// span reads seconds, or a text such as "90s".
func (a arguments) span(name string) time.Duration {
	value, given := a[name]
	if !given {
		return 0
	}
	found, err := time.ParseDuration(fmt.Sprint(value))
	if err != nil {
		found, err = time.ParseDuration(fmt.Sprint(value) + "s")
	}
	if err != nil {
		panic(err)
	}
	return found
}

func (a arguments) control() *execsvc.ControlOptions {
	return &execsvc.ControlOptions{
		Reason: a.text("reason"), RequestID: a.text("request_id"), ExpectedState: execsvc.State(a.text("expected_state")),
	}
}

func (r *run) definition(value any) execsvc.Definition {
	if text, isText := value.(string); isText {
		if named, known := r.definitions[text]; known {
			return execsvc.DefinitionOf(native(named))
		}
		return execsvc.DefinitionJSON(text)
	}
	if value == nil {
		return execsvc.Definition{}
	}
	return execsvc.DefinitionOf(native(value))
}

func (r *run) connect(given map[string]any) error {
	a := arguments(given)
	var options []execsvc.Option
	if _, set := a["call_timeout"]; set {
		options = append(options, execsvc.WithCallTimeout(a.span("call_timeout")))
	}
	if _, set := a["reconnect_timeout"]; set {
		options = append(options, execsvc.WithReconnectTimeout(a.span("reconnect_timeout")))
	}
	if token := a.text("token"); token != "" {
		options = append(options, execsvc.WithToken(token))
	}
	if ca := a.text("ca"); ca != "" {
		options = append(options, execsvc.WithCA([]byte(ca)))
	}
	if name := a.text("server_name"); name != "" {
		options = append(options, execsvc.WithServerName(name))
	}
	client, err := execsvc.Dial(a.text("target"), options...)
	if err != nil {
		return err
	}
	r.clients[a.text("as")] = client
	return nil
}

// operate carries out one operation; what it reads is noted in the task, if it is one.
func (r *run) operate(ctx context.Context, client *execsvc.Client, name string, given map[string]any, task *task) (any, error) {
	a := arguments(given)
	id := a.text("execution_id")
	switch name {
	case "execute":
		return status(client.Execute(ctx, r.executeRequest(a)))
	case "status":
		return status(client.Status(ctx, id))
	case "get":
		if a.text("view") == "basic" {
			return execution(client.GetBasic(ctx, id))
		}
		return execution(client.Get(ctx, id))
	case "wait":
		if _, limited := a["timeout"]; limited {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.span("timeout"))
			defer cancel()
		}
		return execution(client.Wait(ctx, id))
	case "logs":
		return readLog(ctx, client, a, task)
	case "list_logs":
		options := &execsvc.ListLogOptions{
			MinLevel: execsvc.Level(a.text("min_level")), NodeID: a.text("node_id"), PageSize: int32(a.number("page_size")),
		}
		read := newReading()
		for entry, err := range client.ListLogs(ctx, id, options) {
			if err != nil {
				return nil, err
			}
			read.add(entry)
		}
		return read.document(), nil
	case "watch":
		return readWatch(ctx, client, a, task)
	case "pause":
		return status(client.Pause(ctx, id, a.control()))
	case "resume":
		return status(client.Resume(ctx, id, a.control()))
	case "stop":
		return status(client.Stop(ctx, id, a.control()))
	case "retry":
		return status(client.Retry(ctx, id, &execsvc.RetryOptions{ControlOptions: *a.control(), Input: native(a["input"])}))
	case "list", "list_page":
		return list(ctx, client, name, a)
	case "delete":
		return map[string]any{}, client.Delete(ctx, id)
	case "lab":
		body := any(map[string]any{})
		if given, set := a["body"]; set {
			body = given
		}
		var answer any
		err := call(ctx, http.MethodPost, r.lab+a.text("path"), body, &answer)
		return answer, err
	case "until", "join", "cancel":
		return r.await(ctx, name, a)
	}
	return r.operateWorkflows(ctx, client, name, a)
}

func (r *run) operateWorkflows(ctx context.Context, client *execsvc.Client, name string, a arguments) (any, error) {
	switch name {
	case "validate":
		found, err := client.Validate(ctx, r.definition(a["definition"]))
		if err != nil {
			return nil, err
		}
		return document(found.Raw)
	case "create_workflow":
		found, err := client.CreateWorkflow(ctx, a.text("workflow_id"), r.definition(a["definition"]))
		if err != nil {
			return nil, err
		}
		result, err := document(found.Raw)
		result["created"] = found.Created
		return result, err
	case "get_workflow":
		found, err := client.GetWorkflow(ctx, a.text("workflow_id"), a.text("version"))
		if err != nil {
			return nil, err
		}
		return document(found.Raw)
	case "list_workflows":
		versions := []any{}
		for found, err := range client.ListWorkflows(ctx, &execsvc.ListWorkflowOptions{WorkflowID: a.text("workflow_id")}) {
			if err != nil {
				return nil, err
			}
			versions = append(versions, found.Version)
		}
		return map[string]any{"count": len(versions), "versions": versions}, nil
	case "node_types":
		found, err := client.NodeTypes(ctx)
		names := []any{}
		for _, kind := range found {
			names = append(names, kind.Name)
		}
		return map[string]any{"names": names}, err
	case "server_info":
		found, err := client.ServerInfo(ctx)
		if err != nil {
			return nil, err
		}
		return document(found.Raw)
	}
	return nil, fmt.Errorf("there is no operation %q", name)
}

func (r *run) executeRequest(a arguments) *execsvc.ExecuteRequest {
	request := &execsvc.ExecuteRequest{
		Definition:      r.definition(a["definition"]),
		Input:           native(a["input"]),
		ExecutionID:     a.text("execution_id"),
		WorkflowID:      a.text("workflow_id"),
		WorkflowVersion: a.text("workflow_version"),
		Priority:        int32(a.number("priority")),
		Timeout:         a.span("timeout"),
		ConcurrencyKey:  a.text("concurrency_key"),
		ValidateOnly:    a.flag("validate_only"),
	}
	if labels, given := a["labels"].(map[string]any); given {
		request.Labels = map[string]string{}
		for name, value := range labels {
			request.Labels[name] = value.(string)
		}
	}
	if policy, given := a["retry"].(map[string]any); given {
		p := arguments(policy)
		request.Retry = &execsvc.RetryPolicy{
			MaxAttempts: int32(p.number("max_attempts")), InitialBackoff: p.span("initial_backoff"), MaxBackoff: p.span("max_backoff"),
		}
		if factor, set := p["multiplier"]; set {
			request.Retry.Multiplier, _ = strconv.ParseFloat(fmt.Sprint(factor), 64)
		}
		if never, set := p["non_retryable"].([]any); set {
			for _, kind := range never {
				request.Retry.NonRetryable = append(request.Retry.NonRetryable, kind.(string))
			}
		}
	}
	return request
}

func (r *run) await(ctx context.Context, name string, a arguments) (any, error) {
	task := r.background[a.text("background")]
	if task == nil {
		return nil, fmt.Errorf("nothing called %q is in the background", a.text("background"))
	}
	switch name {
	case "cancel":
		task.cancel()
		<-task.done
		return map[string]any{}, nil
	case "join":
		select {
		case <-task.done:
			return task.result, task.err
		case <-ctx.Done():
			return nil, errors.New("it did not end in time")
		}
	}
	wanted := int(a.number("entries"))
	for {
		read, moved := task.count()
		if read >= wanted {
			return map[string]any{}, nil
		}
		select {
		case <-moved:
		case <-task.done:
			if read, _ := task.count(); read < wanted {
				return nil, fmt.Errorf("it ended after %d of %d: %s, %w", read, wanted, shown(task.result), task.err)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("it had read %d of %d in time", read, wanted)
		}
	}
}

func list(ctx context.Context, client *execsvc.Client, name string, a arguments) (any, error) {
	options := &execsvc.ListOptions{
		Filter: a.text("filter"), OrderBy: a.text("order_by"),
		PageSize: int32(a.number("page_size")), PageToken: a.text("page_token"),
	}
	ids := []any{}
	if name == "list_page" {
		page, err := client.ListPage(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, found := range page.Items {
			ids = append(ids, found.ExecutionID)
		}
		return map[string]any{"ids": ids, "next_page_token": page.NextToken}, nil
	}
	for found, err := range client.List(ctx, options) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, found.ExecutionID)
		if limit := a.number("limit"); limit > 0 && int64(len(ids)) == limit {
			break
		}
	}
	return map[string]any{"count": len(ids), "ids": ids}, nil
}

// document returns a message as canonical JSON with the names of the proto files.
func document(message proto.Message) (map[string]any, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return nil, err
	}
	var found map[string]any
	err = decode(text, &found)
	return found, err
}

func status(found *execsvc.Status, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return document(found.Raw)
}

func execution(found *execsvc.Execution, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	result, err := document(found.Raw)
	if err != nil {
		return nil, err
	}
	result["output_text"], err = encode(found.Output)
	return result, err
}

var kinds = map[error]string{
	execsvc.ErrInvalidArgument: "InvalidArgument", execsvc.ErrDefinition: "DefinitionError", execsvc.ErrNotFound: "NotFound",
	execsvc.ErrAlreadyExists: "AlreadyExists", execsvc.ErrFailedPrecondition: "FailedPrecondition",
	execsvc.ErrAborted: "Aborted", execsvc.ErrOutOfRange: "OutOfRange", execsvc.ErrResourceExhausted: "ResourceExhausted",
	execsvc.ErrUnauthenticated: "Unauthenticated", execsvc.ErrPermissionDenied: "PermissionDenied",
	execsvc.ErrUnavailable: "Unavailable", execsvc.ErrDeadlineExceeded: "DeadlineExceeded",
	execsvc.ErrCancelled: "Cancelled", execsvc.ErrUnimplemented: "Unimplemented", execsvc.ErrInternal: "Internal",
}

func errorDocument(err *execsvc.Error) map[string]any {
	kind := err.Kind()
	if errors.Is(err, execsvc.ErrDefinition) {
		kind = execsvc.ErrDefinition
	}
	metadata := map[string]any{}
	for name, value := range err.Metadata {
		metadata[name] = value
	}
	violations := []any{}
	for _, problem := range err.FieldViolations {
		violations = append(violations, map[string]any{
			"path": problem.Path, "reason": problem.Reason, "message": problem.Message,
		})
	}
	var delay any
	if err.RetryDelay > 0 {
		delay = err.RetryDelay.Seconds()
	}
	return map[string]any{
		"type": kinds[kind], "code": execsvc.CodeName(err.Code), "reason": err.Reason, "message": err.Message,
		"metadata": metadata, "field_violations": violations, "retry_delay": delay,
		"execution_id": err.ExecutionID(), "state": string(err.State()),
	}
}

// reading is what was read of a log.
type reading struct {
	count, first, last int64
	gapless, unique    bool
	seen               map[int64]bool
	entries            []any
}

func newReading() *reading {
	return &reading{gapless: true, unique: true, seen: map[int64]bool{}, entries: []any{}}
}

func (r *reading) add(entry *execsvc.LogEntry) {
	if r.count == 0 {
		r.first = entry.Sequence
	} else if entry.Sequence != r.last+1 {
		r.gapless = false
	}
	r.unique = r.unique && !r.seen[entry.Sequence]
	r.seen[entry.Sequence] = true
	r.last = entry.Sequence
	if r.count++; len(r.entries) < 20 {
		found, err := document(entry.Raw)
		if err != nil {
			panic(err)
		}
		r.entries = append(r.entries, found)
	}
}

func (r *reading) document() map[string]any {
	return map[string]any{
		"count": r.count, "first_sequence": r.first, "gapless": r.gapless, "sequences_unique": r.unique, "entries": r.entries,
	}
}

func readLog(ctx context.Context, client *execsvc.Client, a arguments, task *task) (any, error) {
	stream := client.Logs(ctx, a.text("execution_id"), &execsvc.LogOptions{
		Follow: a.flag("follow"), AfterSequence: a.number("after_sequence"), Tail: int32(a.number("tail")),
		MinLevel: execsvc.Level(a.text("min_level")), NodeID: a.text("node_id"), UID: a.text("uid"),
	})
	read := newReading()
	for entry, err := range stream.All() {
		if err != nil {
			return nil, err
		}
		read.add(entry)
		task.note()
		if enough := a.number("stop_after"); enough > 0 && read.count == enough {
			break
		}
	}
	result := read.document()
	result["last_sequence"] = stream.LastSequence()
	result["final_state"] = ""
	if final := stream.FinalStatus(); final != nil {
		result["final_state"] = final.Raw.GetState().String()
	}
	return result, nil
}

func readWatch(ctx context.Context, client *execsvc.Client, a arguments, task *task) (any, error) {
	stream := client.Watch(ctx, a.text("execution_id"), &execsvc.WatchOptions{IncludeTokens: a.flag("include_tokens")})
	count, progress, text := int64(0), 0.0, ""
	rising, states := true, []any{}
	for snapshot, err := range stream.All() {
		if err != nil {
			return nil, err
		}
		count++
		if state := any(snapshot.Status.Raw.GetState().String()); !slices.Contains(states, state) {
			states = append(states, state)
		}
		rising = rising && snapshot.Progress >= progress
		progress = snapshot.Progress
		for _, token := range snapshot.Tokens {
			text += token.Text
		}
		task.note()
		if enough := a.number("stop_after"); enough > 0 && count == enough {
			break
		}
	}
	result := map[string]any{
		"count": count, "states": states, "progress_never_falls": rising, "text": text, "final_state": "",
	}
	if final := stream.FinalStatus(); final != nil {
		result["final_state"] = final.Raw.GetState().String()
	}
	return result, nil
}
