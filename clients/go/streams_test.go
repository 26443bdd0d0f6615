package execsvc

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

func entries(last int64, sequences ...int64) *execsvcv1.StreamLogsResponse {
	response := &execsvcv1.StreamLogsResponse{LastSequence: last, Uid: "u"}
	for _, sequence := range sequences {
		response.Entries = append(response.Entries, &execsvcv1.LogEntry{Sequence: sequence})
	}
	return response
}

func final(response *execsvcv1.StreamLogsResponse) *execsvcv1.StreamLogsResponse {
	response.FinalStatus = &execsvcv1.ExecutionStatus{State: execsvcv1.ExecutionState_EXECUTION_STATE_COMPLETED}
	return response
}

type logConnection = connection[*execsvcv1.StreamLogsResponse]

func sequences(t *testing.T, stream *LogStream) (read []int64) {
	t.Helper()
	for entry, err := range stream.All() {
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, entry.Sequence)
	}
	return read
}

func TestALogGoesOnAtItsCursorAfterEachBreak(t *testing.T) {
	server := &scripted{logs: []logConnection{
		{responses: []*execsvcv1.StreamLogsResponse{entries(2, 1, 2)}, err: away},
		{err: status.Error(codes.Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR")},
		// What the filter left out moves the cursor; what comes twice is dropped.
		{responses: []*execsvcv1.StreamLogsResponse{entries(5, 2, 3), entries(7)}},
		{responses: []*execsvcv1.StreamLogsResponse{final(entries(9, 8, 9))}},
	}}
	stream := serve(t, server, nil).Logs(t.Context(), "e", &LogOptions{Follow: true, MinLevel: LevelInfo})
	if read := sequences(t, stream); !slices.Equal(read, []int64{1, 2, 3, 8, 9}) {
		t.Errorf("read %v", read)
	}
	if stream.LastSequence() != 9 || stream.UID() != "u" || stream.FinalStatus().State != StateCompleted {
		t.Errorf("got %d, %q, %v", stream.LastSequence(), stream.UID(), stream.FinalStatus())
	}
	var places []int64
	for at, request := range server.requests() {
		asked := request.(*execsvcv1.StreamLogsRequest)
		places = append(places, asked.GetAfterSequence())
		if asked.GetMinLevel() != execsvcv1.LogLevel_LOG_LEVEL_INFO || !asked.GetFollow() || (at > 0) != (asked.GetUid() == "u") {
			t.Errorf("request %d: %v", at, asked)
		}
	}
	if !slices.Equal(places, []int64{0, 2, 2, 7}) {
		t.Errorf("connected at %v", places)
	}
}

func TestALogAndAWatchGoOnWhereTheServersCoreGaveThemUp(t *testing.T) {
	server := &scripted{
		logs: []logConnection{
			{err: cut},
			{responses: []*execsvcv1.StreamLogsResponse{entries(2, 1, 2)}, err: cut},
			{responses: []*execsvcv1.StreamLogsResponse{final(entries(3, 3))}},
		},
		watches: []connection[*execsvcv1.WatchExecutionResponse]{
			{err: cut},
			{responses: []*execsvcv1.WatchExecutionResponse{seen(execsvcv1.ExecutionState_EXECUTION_STATE_COMPLETED)}},
		},
	}
	client := serve(t, server, nil)
	if read := sequences(t, client.Logs(t.Context(), "e", &LogOptions{Follow: true})); !slices.Equal(read, []int64{1, 2, 3}) {
		t.Errorf("read %v", read)
	}
	states := []State{}
	for snapshot, err := range client.Watch(t.Context(), "e", nil).All() {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, snapshot.State)
	}
	if !slices.Equal(states, []State{StateCompleted}) {
		t.Errorf("saw %v", states)
	}
}

func TestTheTailIsAskedForOnceAndThenThePlaceIsKnown(t *testing.T) {
	server := &scripted{logs: []logConnection{
		{err: away},
		{responses: []*execsvcv1.StreamLogsResponse{entries(20, 20)}, err: away},
		{responses: []*execsvcv1.StreamLogsResponse{final(entries(21, 21))}},
	}}
	stream := serve(t, server, nil).Logs(t.Context(), "e", &LogOptions{Follow: true, Tail: 1})
	if read := sequences(t, stream); !slices.Equal(read, []int64{20, 21}) {
		t.Errorf("read %v", read)
	}
	var tails []int32
	for _, request := range server.requests() {
		tails = append(tails, request.(*execsvcv1.StreamLogsRequest).GetTail())
	}
	if !slices.Equal(tails, []int32{1, 1, 0}) {
		t.Errorf("asked for tails %v", tails)
	}
}

func TestLeavingTheLoopFreesTheServerAndAnotherGoesOn(t *testing.T) {
	server := &scripted{logs: []logConnection{
		{responses: []*execsvcv1.StreamLogsResponse{entries(3, 1, 2, 3)}, hold: true},
		{responses: []*execsvcv1.StreamLogsResponse{final(entries(4, 4))}},
	}}
	stream := serve(t, server, nil).Logs(t.Context(), "e", &LogOptions{Follow: true})
	for entry, err := range stream.All() {
		if err != nil || entry.Sequence != 1 {
			t.Fatal(entry, err)
		}
		break
	}
	<-server.ended
	if stream.LastSequence() != 1 || stream.FinalStatus() != nil {
		t.Errorf("got %d, %v: what was not handed out does not count", stream.LastSequence(), stream.FinalStatus())
	}
	if read := sequences(t, stream); !slices.Equal(read, []int64{2, 3, 4}) {
		t.Errorf("then read %v", read)
	}
	if asked := server.requests()[1].(*execsvcv1.StreamLogsRequest); asked.GetAfterSequence() != 3 {
		t.Errorf("connected with %v", asked)
	}
}

func TestAContextEndsAStreamOnBothSides(t *testing.T) {
	server := &scripted{logs: []logConnection{{responses: []*execsvcv1.StreamLogsResponse{entries(1, 1)}, hold: true}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	var ended error
	for _, err := range serve(t, server, nil).Logs(ctx, "e", &LogOptions{Follow: true}).All() {
		if ended = err; err == nil {
			count++
			cancel()
		}
	}
	<-server.ended
	if count != 1 || !errors.Is(ended, context.Canceled) || !errors.Is(ended, ErrCancelled) {
		t.Errorf("read %d, got %v", count, ended)
	}
}

func TestAnAnswerEndsAStreamAndWithoutFollowSoDoesTheServer(t *testing.T) {
	server := &scripted{logs: []logConnection{
		{err: status.Error(codes.NotFound, "no such execution")},
		{responses: []*execsvcv1.StreamLogsResponse{entries(1, 1)}},
	}}
	client := serve(t, server, nil)
	var ended error
	for entry, err := range client.Logs(t.Context(), "e", &LogOptions{Follow: true}).All() {
		if ended = err; entry != nil {
			t.Errorf("got %v beside an error", entry)
		}
	}
	if !errors.Is(ended, ErrNotFound) || len(server.requests()) != 1 {
		t.Errorf("got %v after %d connections", ended, len(server.requests()))
	}
	if read := sequences(t, client.Logs(t.Context(), "e", nil)); !slices.Equal(read, []int64{1}) {
		t.Errorf("read %v", read)
	}
}

func TestALevelThatIsNoneIsRefusedBeforeAnythingIsSent(t *testing.T) {
	server := &scripted{}
	client := serve(t, server, nil)
	for _, err := range client.Logs(t.Context(), "e", &LogOptions{MinLevel: "LOUD"}).All() {
		var found *Error
		if !errors.As(err, &found) || reasons(found.FieldViolations)["min_level"] != "UNKNOWN_VALUE" {
			t.Errorf("got %v", err)
		}
	}
	if _, err := client.Stop(t.Context(), "e", &ControlOptions{ExpectedState: "GONE"}); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("got %v", err)
	}
	if len(server.requests()) != 0 {
		t.Errorf("sent %v", server.requests())
	}
}

func seen(state execsvcv1.ExecutionState, nodes ...*execsvcv1.NodeRun) *execsvcv1.WatchExecutionResponse {
	return &execsvcv1.WatchExecutionResponse{Status: &execsvcv1.ExecutionStatus{State: state}, Nodes: nodes}
}

func node(id string, attempt int32) *execsvcv1.NodeRun {
	return &execsvcv1.NodeRun{NodeId: id, Attempt: attempt}
}

func TestAWatchHasAllNodesAndBeginsAfreshAfterABreak(t *testing.T) {
	const running, completed = execsvcv1.ExecutionState_EXECUTION_STATE_RUNNING, execsvcv1.ExecutionState_EXECUTION_STATE_COMPLETED
	spoken := seen(running)
	spoken.Tokens = []*execsvcv1.TokenChunk{{NodeId: "b", Attempt: 1, Text: "hi"}}
	server := &scripted{watches: []connection[*execsvcv1.WatchExecutionResponse]{
		{responses: []*execsvcv1.WatchExecutionResponse{
			seen(running, node("a", 1), node("b", 0)), seen(running) /* a heartbeat */, seen(running, node("b", 1)), spoken,
		}, err: away},
		{responses: []*execsvcv1.WatchExecutionResponse{seen(running, node("a", 2), node("b", 1)), seen(completed)}},
	}}
	stream := serve(t, server, nil).Watch(t.Context(), "e", &WatchOptions{IncludeTokens: true})
	var read []*Snapshot
	for snapshot, err := range stream.All() {
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, snapshot)
	}
	changed := [][]string{{"a", "b"}, {"b"}, nil, {"a"}, nil}
	attempts := [][2]int{{1, 0}, {1, 1}, {1, 1}, {2, 1}, {2, 1}}
	if len(read) != len(changed) {
		t.Fatalf("read %d snapshots", len(read))
	}
	for at, snapshot := range read {
		if !slices.Equal(snapshot.Changed, changed[at]) || len(snapshot.Nodes) != 2 ||
			snapshot.Node("a").Attempt != attempts[at][0] || snapshot.Node("b").Attempt != attempts[at][1] {
			t.Errorf("snapshot %d: changed %v, %v, %v", at, snapshot.Changed, snapshot.Node("a"), snapshot.Node("b"))
		}
		if snapshot.TokensDropped != (at == 3) {
			t.Errorf("snapshot %d: tokens dropped is %v", at, snapshot.TokensDropped)
		}
	}
	if chunk := read[2].Tokens[0]; chunk.NodeID != "b" || chunk.Attempt != 1 || chunk.Text != "hi" || stream.FinalStatus().State != StateCompleted {
		t.Errorf("got %v, %v", chunk, stream.FinalStatus())
	}
	if !proto.Equal(server.requests()[0], server.requests()[1]) {
		t.Errorf("asked %v", server.requests())
	}
}

func TestAWatchEndsOnlyInAFinalState(t *testing.T) {
	server := &scripted{watches: []connection[*execsvcv1.WatchExecutionResponse]{
		{responses: []*execsvcv1.WatchExecutionResponse{seen(execsvcv1.ExecutionState_EXECUTION_STATE_PAUSED)}},
		{err: status.Error(codes.NotFound, "deleted")},
	}}
	var ended error
	for _, err := range serve(t, server, nil).Watch(t.Context(), "e", nil).All() {
		ended = err
	}
	if !errors.Is(ended, ErrNotFound) {
		t.Errorf("got %v", ended)
	}
}
