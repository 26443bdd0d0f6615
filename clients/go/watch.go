package execsvc

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// Snapshot is an execution at one moment. Changes that came faster than they were read are joined into one.
type Snapshot struct {
	Status
	// Nodes are all of them, in the order of the definition; without outputs. They are shared between snapshots.
	Nodes []*NodeRun
	// Changed are the ids of the nodes that changed since the snapshot before; in the first one of all.
	Changed []string
	// Tokens are what models answered since the snapshot before; empty unless they were asked for.
	Tokens []TokenChunk
	// TokensDropped tells whether pieces are missing: they came faster than they were read, or the connection was broken
	// meanwhile.
	TokensDropped bool
	// Raw holds only the nodes that the server sent with it.
	Raw *execsvcv1.WatchExecutionResponse
}

// Node returns a node of the snapshot by its id; nil where there is none.
func (s *Snapshot) Node(id string) *NodeRun { return findNode(s.Nodes, id) }

// TokenChunk is a piece of a language model's answer.
type TokenChunk struct {
	// NodeID is the node that asked.
	NodeID string
	// Attempt of the node, from 1; a new attempt begins its answer anew.
	Attempt int
	// Text is to be appended.
	Text string
	Raw  *execsvcv1.TokenChunk
}

// WatchOptions say what a watch hands out beside the snapshots; nil stands for nothing.
type WatchOptions struct {
	// IncludeTokens also hands out what language models answer, piece by piece, from now on.
	IncludeTokens bool
}

// WatchStream is an execution's snapshots as a stream that survives broken connections. It belongs to one goroutine at a
// time.
type WatchStream struct {
	ctx    context.Context
	client *Client
	cursor *watchCursor
}

// Watch returns snapshots of an execution. Nothing is sent before All is ranged over:
//
//	for snapshot, err := range client.Watch(ctx, id, nil).All() {
//
// The first comes at once, then one after each change, the last in its final state. Changes that come faster than they
// are read are joined. After a break it connects again by itself and begins with a fresh snapshot.
//
// Kinds of errors: ErrNotFound (there is no such execution, or it was deleted), ErrUnavailable (the server was away for
// longer than the reconnect timeout), and the context's.
func (c *Client) Watch(ctx context.Context, executionID string, options *WatchOptions) *WatchStream {
	request := &execsvcv1.WatchExecutionRequest{
		ExecutionId: executionID, IncludeTokens: given(options).IncludeTokens,
	}
	return &WatchStream{ctx: ctx, client: c, cursor: &watchCursor{request: request}}
}

// All yields the snapshots. The error, if any, comes last, with a nil snapshot. A loop that is left ends the call on the
// server; another begins with a fresh snapshot.
func (s *WatchStream) All() iter.Seq2[*Snapshot, error] {
	open := func(ctx context.Context) (grpc.ServerStreamingClient[execsvcv1.WatchExecutionResponse], error) {
		return s.client.executions.WatchExecution(ctx, s.cursor.request)
	}
	return all(s.ctx, s.client, open, s.cursor)
}

// FinalStatus is where the execution stands, once its last snapshot was handed out; nil before.
func (s *WatchStream) FinalStatus() *Status { return s.cursor.final }

// watchCursor turns the responses of any number of broken connections into whole snapshots.
//
// The server sends what changed; each snapshot here holds all nodes. What only says that the server lives is no
// snapshot. The first response of a new connection is one, whether or not anything changed meanwhile.
type watchCursor struct {
	request  *execsvcv1.WatchExecutionRequest
	waiting  *Snapshot
	nodes    []*NodeRun
	status   *execsvcv1.ExecutionStatus
	fresh    bool // the next response is the first of its connection
	complete bool
	final    *Status
}

func (w *watchCursor) connecting() { w.fresh = true }

func (w *watchCursor) receive(response *execsvcv1.WatchExecutionResponse) bool {
	known := w.status != nil
	news := !proto.Equal(w.status, response.GetStatus()) || len(response.GetTokens()) > 0 || response.GetTokensDropped()
	changed := w.merge(response.GetNodes())
	advanced := news || len(changed) > 0
	if advanced || w.fresh {
		// What was said while nobody listened is not repeated.
		missed := w.fresh && known && w.request.GetIncludeTokens()
		w.waiting = w.snapshot(response, changed, missed)
	}
	w.status = response.GetStatus()
	w.fresh = false
	return advanced
}

// merge takes over the nodes of a response; it returns the ids of those that changed.
func (w *watchCursor) merge(raws []*execsvcv1.NodeRun) []string {
	if !w.fresh && len(raws) == 0 {
		return nil
	}
	before := make(map[string]int, len(w.nodes))
	for at, node := range w.nodes {
		before[node.NodeID] = at
	}
	// Snapshots that were handed out keep their own list.
	nodes := append([]*NodeRun(nil), w.nodes...)
	if w.fresh {
		nodes = nil
	}
	var changed []string
	for _, raw := range raws {
		at, known := before[raw.GetNodeId()]
		if w.fresh {
			if !known || !proto.Equal(w.nodes[at].Raw, raw) {
				changed = append(changed, raw.GetNodeId())
			}
			nodes = append(nodes, newNodeRun(raw))
			continue
		}
		changed = append(changed, raw.GetNodeId())
		if known {
			nodes[at] = newNodeRun(raw)
		} else {
			nodes = append(nodes, newNodeRun(raw))
		}
	}
	w.nodes = nodes
	return changed
}

func (w *watchCursor) snapshot(
	response *execsvcv1.WatchExecutionResponse, changed []string, missed bool,
) *Snapshot {
	snapshot := &Snapshot{
		Status:        *newStatus(response.GetStatus()),
		Nodes:         w.nodes,
		Changed:       changed,
		TokensDropped: response.GetTokensDropped() || missed,
		Raw:           response,
	}
	for _, chunk := range response.GetTokens() {
		snapshot.Tokens = append(snapshot.Tokens, TokenChunk{
			NodeID: chunk.GetNodeId(), Attempt: int(chunk.GetAttempt()), Text: chunk.GetText(), Raw: chunk,
		})
	}
	w.complete = snapshot.State.Terminal()
	return snapshot
}

func (w *watchCursor) next() (*Snapshot, bool) {
	snapshot := w.waiting
	if snapshot == nil {
		return nil, false
	}
	w.waiting = nil
	if snapshot.State.Terminal() {
		w.final = &snapshot.Status
	}
	return snapshot, true
}

func (w *watchCursor) ended() bool { return w.complete && w.waiting == nil }

func (w *watchCursor) closed() bool { return w.complete }
