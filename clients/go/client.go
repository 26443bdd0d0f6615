package execsvc

import (
	"context"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// DefaultTarget is where a server listens unless told otherwise.
const DefaultTarget = "127.0.0.1:50051"

// Client runs workflows on an execsvc server, follows and controls them. It is safe for concurrent use.
type Client struct {
	conn       *grpc.ClientConn
	executions execsvcv1.ExecutionServiceClient
	workflows  execsvcv1.WorkflowServiceClient
	server     execsvcv1.ServerServiceClient

	callTimeout      time.Duration
	reconnectTimeout time.Duration
	timing           timing
}

// Dial prepares a client for a target: host and port, or any other gRPC target such as "unix:///run/execsvc.sock"; empty
// means DefaultTarget. It does not wait for the server: the first call connects, and so does any call after a break.
// The error says which option cannot be used.
func Dial(target string, options ...Option) (*Client, error) {
	s := settings{callTimeout: 30 * time.Second, reconnectTimeout: 5 * time.Minute, timing: systemTiming()}
	for _, option := range options {
		if err := option(&s); err != nil {
			return nil, err
		}
	}
	if target == "" {
		target = DefaultTarget
	}
	conn, err := grpc.NewClient(target, s.grpcOptions()...)
	if err != nil {
		return nil, err
	}
	return &Client{
		conn:             conn,
		executions:       execsvcv1.NewExecutionServiceClient(conn),
		workflows:        execsvcv1.NewWorkflowServiceClient(conn),
		server:           execsvcv1.NewServerServiceClient(conn),
		callTimeout:      s.callTimeout,
		reconnectTimeout: s.reconnectTimeout,
		timing:           s.timing,
	}, nil
}

// Close closes the connection; calls still under way end with ErrCancelled.
func (c *Client) Close() error { return c.conn.Close() }

// Conn returns the connection, for the stubs of package execsvcv1 and for other services of the same server, such as
// grpc.health.v1.Health.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// method is a unary call of a generated stub.
type method[Request, Response any] func(ctx context.Context, request Request, options ...grpc.CallOption) (Response, error)

// run makes a unary call within the client's call timeout, repeats included, and the context's deadline.
func run[Request, Response any](
	ctx context.Context, c *Client, call method[Request, Response], request Request, repeats repeats,
) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.callTimeout)
	defer cancel()
	return repeat(ctx, c, call, request, &retry{timing: c.timing, repeats: repeats})
}

// policy says whether and when a failed attempt is repeated.
type policy interface {
	// delayAfter returns how long to wait before the next attempt, or the error to give up with.
	delayAfter(ctx context.Context, err *Error) (time.Duration, error)
}

func repeat[Request, Response any](
	ctx context.Context, c *Client, call method[Request, Response], request Request, policy policy,
) (Response, error) {
	for {
		response, err := call(ctx, request)
		if err == nil {
			return response, nil
		}
		delay, err := policy.delayAfter(ctx, fromRPC(err))
		if err == nil {
			err = c.timing.sleep(ctx, delay)
		}
		if err != nil {
			var none Response
			return none, err
		}
	}
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	// NextToken asks for the next page; empty: this is the last.
	NextToken string
}

// paged yields the items of all pages, each fetched when it is reached.
func paged[T any](page func(token string) (*Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		token := ""
		for {
			found, err := page(token)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range found.Items {
				if !yield(item, nil) {
					return
				}
			}
			if token = found.NextToken; token == "" {
				return
			}
		}
	}
}

// contextError is the error of a context that is done, in this package's form.
func contextError(ctx context.Context) *Error {
	err := fromRPC(status.FromContextError(ctx.Err()).Err())
	err.cause = context.Cause(ctx)
	return err
}
