package execsvc

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// LogOptions choose entries of a log; nil stands for all there are now.
type LogOptions struct {
	// Follow goes on until the execution has ended; otherwise until the last entry there is.
	Follow bool
	// AfterSequence: only entries after this one; 0: from the start.
	AfterSequence int64
	// Tail: only the last so many of the entries there are now, and what follows. Not with AfterSequence.
	Tail int32
	// MinLevel leaves out entries below this level; empty: none.
	MinLevel Level
	// NodeID: only entries of this node; empty: all.
	NodeID string
	// UID is that of the execution (LogStream.UID of an earlier stream): with it ErrNotFound tells that another execution
	// has taken the id since, in whose log AfterSequence means nothing. Empty: whichever has the id.
	UID string
}

// LogStream is the log of an execution as a stream that survives broken connections. It belongs to one goroutine at a
// time.
type LogStream struct {
	ctx    context.Context
	client *Client
	cursor *logCursor
	err    error // what is wrong with the options
}

// Logs returns the log of an execution. Nothing is sent before All is ranged over:
//
//	for entry, err := range client.Logs(ctx, id, &execsvc.LogOptions{Follow: true}).All() {
//
// It connects again at its cursor by itself, with growing pauses, so nothing is missed and nothing comes twice.
//
// Kinds of errors: ErrNotFound, ErrOutOfRange (AfterSequence lies outside the log), ErrUnavailable (the server was away
// for longer than the reconnect timeout), and the context's.
func (c *Client) Logs(ctx context.Context, executionID string, options *LogOptions) *LogStream {
	asked := given(options)
	problems := &problems{}
	request := &execsvcv1.StreamLogsRequest{
		ExecutionId:   executionID,
		AfterSequence: asked.AfterSequence,
		Tail:          asked.Tail,
		MinLevel:      asked.MinLevel.number("min_level", problems),
		NodeId:        asked.NodeID,
		Follow:        asked.Follow,
		Uid:           asked.UID,
	}
	return &LogStream{ctx: ctx, client: c, cursor: newLogCursor(request), err: invalid(problems.found)}
}

// All yields the entries. The error, if any, comes last, with a nil entry. A loop that is left ends the call on the
// server; another goes on where the stream stands, also after an error.
func (s *LogStream) All() iter.Seq2[*LogEntry, error] {
	if s.err != nil {
		return func(yield func(*LogEntry, error) bool) { yield(nil, s.err) }
	}
	open := func(ctx context.Context) (grpc.ServerStreamingClient[execsvcv1.StreamLogsResponse], error) {
		return s.client.executions.StreamLogs(ctx, s.cursor.request())
	}
	return all(s.ctx, s.client, open, s.cursor)
}

// LastSequence is the place reached: everything up to here was handed out or left out by the filter. To go on in another
// process pass it as AfterSequence, with the UID.
func (s *LogStream) LastSequence() int64 { return s.cursor.lastSequence }

// UID is that of the execution, once the server has answered: it tells the execution from another with the same id.
func (s *LogStream) UID() string { return s.cursor.uid }

// FinalStatus is where the execution stands, once it has ended and every entry was handed out; nil before.
func (s *LogStream) FinalStatus() *Status { return s.cursor.finalStatus() }

// logCursor turns the responses of any number of broken connections into one log without repeats or holes.
//
// A response's last sequence counts only once its entries were handed out, so that lastSequence always is a place from
// which another reader, or another process, can go on.
type logCursor struct {
	first        *execsvcv1.StreamLogsRequest
	placed       bool // the place is known: "the last so many" was answered
	waiting      []*execsvcv1.LogEntry
	upto         int64 // received up to here
	uid          string
	final        *execsvcv1.ExecutionStatus
	complete     bool
	lastSequence int64 // handed out up to here
}

func newLogCursor(first *execsvcv1.StreamLogsRequest) *logCursor {
	return &logCursor{
		first: first, placed: first.GetTail() == 0, upto: first.GetAfterSequence(),
		uid: first.GetUid(), lastSequence: first.GetAfterSequence(),
	}
}

func (l *logCursor) connecting() {}

func (l *logCursor) request() *execsvcv1.StreamLogsRequest {
	request := proto.CloneOf(l.first)
	if l.placed {
		request.Tail = 0
		request.AfterSequence = l.lastSequence
	}
	// An execution that takes the id meanwhile has a log of its own, in which this place means nothing.
	request.Uid = l.uid
	return request
}

func (l *logCursor) receive(response *execsvcv1.StreamLogsResponse) bool {
	before := l.upto
	for _, entry := range response.GetEntries() {
		if entry.GetSequence() > l.upto {
			l.waiting = append(l.waiting, entry)
			l.upto = entry.GetSequence()
		}
	}
	l.upto = max(l.upto, response.GetLastSequence())
	l.placed = true
	l.uid = response.GetUid()
	if response.GetFinalStatus() != nil {
		l.final = response.GetFinalStatus()
		l.complete = true
	}
	l.settle()
	return l.upto > before || l.complete
}

func (l *logCursor) next() (*LogEntry, bool) {
	if len(l.waiting) == 0 {
		return nil, false
	}
	entry := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.lastSequence = entry.GetSequence()
	l.settle()
	return newLogEntry(entry), true
}

func (l *logCursor) settle() {
	if len(l.waiting) == 0 {
		l.waiting = nil // frees what the slice still holds
		l.lastSequence = l.upto
	}
}

func (l *logCursor) ended() bool { return l.complete && len(l.waiting) == 0 }

func (l *logCursor) closed() bool {
	l.complete = l.complete || !l.first.GetFollow()
	return l.complete
}

func (l *logCursor) finalStatus() *Status {
	if l.final == nil || len(l.waiting) > 0 {
		return nil
	}
	return newStatus(l.final)
}

// ListLogOptions choose entries of a log for ListLogs; nil stands for all.
type ListLogOptions struct {
	// MinLevel leaves out entries below this level; empty: none.
	MinLevel Level
	// NodeID: only entries of this node; empty: all.
	NodeID string
	// PageSize is how many to fetch at once, up to 1,000; 0 means 100, for ListLogs 1,000.
	PageSize int32
	// PageToken is the NextToken of the page before, with the other options as they were; empty: the first page.
	PageToken string
}

// ListLogs yields the entries there are now, oldest first, fetched page by page as they are read. ErrNotFound: there is
// no such execution.
func (c *Client) ListLogs(ctx context.Context, executionID string, options *ListLogOptions) iter.Seq2[*LogEntry, error] {
	return paged(func(token string) (*Page[*LogEntry], error) {
		page := given(options)
		if page.PageSize == 0 {
			page.PageSize = 1000
		}
		if token != "" {
			page.PageToken = token
		}
		return c.ListLogsPage(ctx, executionID, &page)
	})
}

// ListLogsPage returns one page of what ListLogs yields; for those who hand pages on.
func (c *Client) ListLogsPage(
	ctx context.Context, executionID string, options *ListLogOptions,
) (*Page[*LogEntry], error) {
	asked := given(options)
	problems := &problems{}
	request := &execsvcv1.ListLogsRequest{
		ExecutionId: executionID,
		MinLevel:    asked.MinLevel.number("min_level", problems),
		NodeId:      asked.NodeID,
		PageSize:    asked.PageSize,
		PageToken:   asked.PageToken,
	}
	if err := invalid(problems.found); err != nil {
		return nil, err
	}
	if request.PageSize == 0 {
		request.PageSize = defaultPageSize
	}
	response, err := run(ctx, c, c.executions.ListLogs, request, repeatedByGRPC)
	if err != nil {
		return nil, err
	}
	page := &Page[*LogEntry]{NextToken: response.GetNextPageToken()}
	for _, raw := range response.GetEntries() {
		page.Items = append(page.Items, newLogEntry(raw))
	}
	return page, nil
}
