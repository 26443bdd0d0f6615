package execsvc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// scripted is a gRPC server that answers what a real one cannot be told to: breaks in chosen places.
type scripted struct {
	execsvcv1.UnimplementedExecutionServiceServer
	t    *testing.T
	lock sync.Mutex
	// logs are the connections of StreamLogs in order; each sends its responses and ends with its error.
	logs    []connection[*execsvcv1.StreamLogsResponse]
	watches []connection[*execsvcv1.WatchExecutionResponse]
	// answers are those of unary calls in order; nil is success.
	answers []error
	asked   []proto.Message
	tokens  []string
	// ended gets a value for each stream whose caller has gone.
	ended chan struct{}
}

type connection[Response any] struct {
	responses []Response
	err       error
	hold      bool // stays open until the caller goes
}

func (s *scripted) note(ctx context.Context, request proto.Message) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.asked = append(s.asked, request)
	found, _ := metadata.FromIncomingContext(ctx)
	s.tokens = append(s.tokens, found.Get("authorization")...)
}

func (s *scripted) answer(ctx context.Context, request proto.Message) error {
	s.note(ctx, request)
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(s.answers) == 0 {
		return nil
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	return err
}

func (s *scripted) Execute(ctx context.Context, request *execsvcv1.ExecuteRequest) (*execsvcv1.ExecuteResponse, error) {
	return &execsvcv1.ExecuteResponse{}, s.answer(ctx, request)
}

func (s *scripted) Control(ctx context.Context, request *execsvcv1.ControlRequest) (*execsvcv1.ControlResponse, error) {
	return &execsvcv1.ControlResponse{}, s.answer(ctx, request)
}

func (s *scripted) GetStatus(ctx context.Context, request *execsvcv1.GetStatusRequest) (*execsvcv1.GetStatusResponse, error) {
	return &execsvcv1.GetStatusResponse{}, s.answer(ctx, request)
}

func (s *scripted) DeleteExecution(
	ctx context.Context, request *execsvcv1.DeleteExecutionRequest,
) (*execsvcv1.DeleteExecutionResponse, error) {
	return &execsvcv1.DeleteExecutionResponse{}, s.answer(ctx, request)
}

func (s *scripted) GetExecution(ctx context.Context, _ *execsvcv1.GetExecutionRequest) (*execsvcv1.GetExecutionResponse, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func (s *scripted) StreamLogs(
	request *execsvcv1.StreamLogsRequest, stream grpc.ServerStreamingServer[execsvcv1.StreamLogsResponse],
) error {
	s.note(stream.Context(), request)
	return play(s, &s.logs, stream)
}

func (s *scripted) WatchExecution(
	request *execsvcv1.WatchExecutionRequest, stream grpc.ServerStreamingServer[execsvcv1.WatchExecutionResponse],
) error {
	s.note(stream.Context(), request)
	return play(s, &s.watches, stream)
}

func play[Response any](s *scripted, script *[]connection[*Response], stream grpc.ServerStreamingServer[Response]) error {
	s.lock.Lock()
	if len(*script) == 0 {
		s.lock.Unlock()
		return status.Error(codes.FailedPrecondition, "the script is at its end")
	}
	next := (*script)[0]
	*script = (*script)[1:]
	s.lock.Unlock()
	for _, response := range next.responses {
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	if next.hold {
		<-stream.Context().Done()
		s.ended <- struct{}{}
	}
	return next.err
}

func (s *scripted) requests() []proto.Message {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]proto.Message(nil), s.asked...)
}

// serve starts the server, over TLS where options are given for it, and returns a client of it.
func serve(t *testing.T, s *scripted, server []grpc.ServerOption, options ...Option) *Client {
	t.Helper()
	s.t, s.ended = t, make(chan struct{}, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	running := grpc.NewServer(server...)
	execsvcv1.RegisterExecutionServiceServer(running, s)
	go func() { _ = running.Serve(listener) }()
	t.Cleanup(running.Stop)
	client, err := Dial(listener.Addr().String(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	// Waits take no time, so that no test waits.
	client.timing.chance = func() float64 { return 0 }
	client.timing.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return client
}

var away = status.Error(codes.Unavailable, "away")

func TestExecuteAndControlAreRepeatedWithTheSameID(t *testing.T) {
	server := &scripted{answers: []error{away, away, nil, away, nil}}
	client := serve(t, server, nil)
	if _, err := client.Execute(t.Context(), &ExecuteRequest{WorkflowID: "w"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Stop(t.Context(), "e", nil); err != nil {
		t.Fatal(err)
	}
	asked := server.requests()
	first := asked[0].(*execsvcv1.ExecuteRequest)
	if first.GetExecutionId() == "" || first.Input == nil || !proto.Equal(first, asked[1]) || !proto.Equal(first, asked[2]) {
		t.Errorf("got %v", asked[:3])
	}
	stop := asked[3].(*execsvcv1.ControlRequest)
	if stop.GetRequestId() == "" || !proto.Equal(stop, asked[4]) || len(asked) != 5 {
		t.Errorf("got %v", asked[3:])
	}
}

func TestDeleteIsNotRepeatedAndAnAnswerNeither(t *testing.T) {
	server := &scripted{answers: []error{away, status.Error(codes.ResourceExhausted, "full")}}
	client := serve(t, server, nil)
	if err := client.Delete(t.Context(), "e"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Execute(t.Context(), &ExecuteRequest{}); !errors.Is(err, ErrResourceExhausted) {
		t.Errorf("got %v", err)
	}
	if asked := server.requests(); len(asked) != 2 {
		t.Errorf("got %d calls", len(asked))
	}
}

func TestGRPCRepeatsCallsThatChangeNothing(t *testing.T) {
	server := &scripted{answers: []error{away, nil}}
	client := serve(t, server, nil)
	if _, err := client.Status(t.Context(), "e"); err != nil {
		t.Fatal(err)
	}
	if asked := server.requests(); len(asked) != 2 {
		t.Errorf("got %d calls", len(asked))
	}
}

// cut is what a server's gRPC core says of a call that it hands to nobody.
var cut = status.Error(codes.Canceled, "CANCELLED")

func TestACallThatTheServersCoreGaveUpIsRepeatedWhereThatIsSafe(t *testing.T) {
	server := &scripted{answers: []error{cut, cut, nil, cut, nil, cut, nil, cut}}
	client := serve(t, server, nil)
	if _, err := client.Execute(t.Context(), &ExecuteRequest{WorkflowID: "w"}); err != nil {
		t.Error(err)
	}
	if _, err := client.Stop(t.Context(), "e", nil); err != nil {
		t.Error(err)
	}
	if _, err := client.Status(t.Context(), "e"); err != nil {
		t.Error(err)
	}
	if err := client.Delete(t.Context(), "e"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	asked := server.requests()
	if len(asked) != 8 || !proto.Equal(asked[0], asked[1]) || !proto.Equal(asked[0], asked[2]) ||
		!proto.Equal(asked[3], asked[4]) || !proto.Equal(asked[5], asked[6]) {
		t.Errorf("got %v", asked)
	}
}

func TestACallThatTheServersCoreGivesUpEachTimeSaysSo(t *testing.T) {
	server := &scripted{answers: []error{cut, cut, cut, cut, cut, cut}}
	client := serve(t, server, nil)
	var found *Error
	if _, err := client.Status(t.Context(), "e"); !errors.As(err, &found) || !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(found.Message, "gave the call up") || status.Code(errors.Unwrap(found)) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	if asked := server.requests(); len(asked) != maxAttempts {
		t.Errorf("got %d calls", len(asked))
	}
}

func TestACallEndsAtTheCallTimeoutAndAtItsContext(t *testing.T) {
	client := serve(t, &scripted{}, nil, WithCallTimeout(20*time.Millisecond))
	if _, err := client.Get(t.Context(), "e"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Get(ctx, "e"); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v", err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), "e"); !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v from a client that was closed", err)
	}
}

func TestATokenIsSentWithEachCallAndAskedForAnew(t *testing.T) {
	server := &scripted{}
	tokens := []string{"one", "", "three"}
	client := serve(t, server, nil, WithTokenSource(func(context.Context) (string, error) {
		if len(tokens) == 0 {
			return "", errors.New("the vault is closed")
		}
		next := tokens[0]
		tokens = tokens[1:]
		return next, nil
	}))
	for range 3 {
		if _, err := client.Status(t.Context(), "e"); err != nil {
			t.Fatal(err)
		}
	}
	if got := server.tokens; len(got) != 2 || got[0] != "Bearer one" || got[1] != "Bearer three" {
		t.Errorf("got %v", got)
	}
	if _, err := client.Status(t.Context(), "e"); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("got %v", err)
	}
}

func TestTLSTrustsOnlyTheCAThatIsNamed(t *testing.T) {
	// The certificate that the standard library's tests use, for 127.0.0.1 and example.com.
	example := httptest.NewUnstartedServer(nil)
	example.StartTLS()
	defer example.Close()
	certificate := example.TLS.Certificates[0]
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	server := []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&certificate))}

	for name, options := range map[string][]Option{
		"a CA": {WithCA(ca)}, "a CA and a name": {WithServerName("example.com"), WithCA(ca)},
		"a config": {WithTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})},
	} {
		client := serve(t, &scripted{}, server, options...)
		if _, err := client.Status(t.Context(), "e"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, options := range map[string][]Option{
		"the system's CAs": {WithTLS(nil)}, "another name": {WithCA(ca), WithServerName("execsvc.example")}, "no TLS": {},
	} {
		client := serve(t, &scripted{}, server, options...)
		if _, err := client.Status(t.Context(), "e"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOptionsThatCannotBeUsedAreRefusedByDial(t *testing.T) {
	for name, option := range map[string]Option{
		"CA": WithCA([]byte("none")), "CA file": WithCAFile("/nowhere/ca.pem"), "call timeout": WithCallTimeout(0),
		"reconnect timeout": WithReconnectTimeout(-1),
	} {
		if _, err := Dial("127.0.0.1:1", option); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
