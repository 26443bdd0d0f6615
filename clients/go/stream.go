package execsvc

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// cursor is where a reader stands in a stream, and how to go on after a break. It does no I/O.
type cursor[Item, Response any] interface {
	// connecting is told that a new connection is about to be opened.
	connecting()
	// receive takes one response in; it tells whether that brought something new.
	receive(response *Response) (advanced bool)
	// next hands out the next item; false: another response must be read first, unless ended.
	next() (item Item, ok bool)
	// ended tells whether everything was handed out and nothing more will come.
	ended() bool
	// closed is told that the server has ended the stream without an error; it tells whether this was the end.
	closed() bool
}

// opener opens a connection for what the cursor asks for next.
type opener[Response any] func(ctx context.Context) (grpc.ServerStreamingClient[Response], error)

// all yields the items of a stream that survives broken connections: opened, read, and opened again. Whoever leaves the
// loop ends the call on the server; ranging again goes on where the cursor stands.
func all[Item, Response any](
	ctx context.Context, c *Client, open opener[Response], cursor cursor[Item, Response],
) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		callContext, cancel := context.WithCancel(ctx)
		defer cancel()
		policy := newReconnect(c.timing, c.reconnectTimeout)
		var call grpc.ServerStreamingClient[Response] // nil between two connections
		for {
			if item, ok := cursor.next(); ok {
				if !yield(item, nil) {
					return
				}
				continue
			}
			if cursor.ended() {
				return
			}
			var err error
			if call == nil {
				cursor.connecting()
				call, err = open(callContext)
			}
			var response *Response
			if err == nil {
				response, err = call.Recv()
			}
			if err == nil {
				policy.progress(cursor.receive(response))
				continue
			}
			call = nil
			if errors.Is(err, io.EOF) {
				if cursor.closed() {
					continue
				}
				err = &Error{Code: codes.Unavailable, Message: "the server closed the stream before the execution had ended"}
			}
			delay, err := policy.delayAfter(ctx, fromRPC(err))
			if err == nil {
				err = c.timing.sleep(ctx, delay)
			}
			if err != nil {
				var none Item
				yield(none, err)
				return
			}
		}
	}
}
