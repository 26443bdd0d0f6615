package execsvc

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// maxRequestBytes is the server's own limit: a larger request fails here, before anything is sent.
const maxRequestBytes = 32 << 20

// safeMethods change nothing. gRPC repeats them; Execute and Control are repeated by this client, which gives them ids;
// so is CreateWorkflow, which a repeat does not change. DeleteExecution is not: by the time of a repeat the id could be
// another execution's.
var safeMethods = []string{
	execsvcv1.ExecutionService_GetStatus_FullMethodName,
	execsvcv1.ExecutionService_GetExecution_FullMethodName,
	execsvcv1.ExecutionService_ListLogs_FullMethodName,
	execsvcv1.ExecutionService_ListExecutions_FullMethodName,
	execsvcv1.WorkflowService_ValidateWorkflow_FullMethodName,
	execsvcv1.WorkflowService_ListNodeTypes_FullMethodName,
	execsvcv1.WorkflowService_GetWorkflow_FullMethodName,
	execsvcv1.WorkflowService_ListWorkflows_FullMethodName,
	execsvcv1.ServerService_GetServerInfo_FullMethodName,
}

// serviceConfig tells gRPC which calls it may repeat.
func serviceConfig() string {
	names := make([]map[string]string, 0, len(safeMethods))
	for _, method := range safeMethods {
		service, name := splitMethod(method)
		names = append(names, map[string]string{"service": service, "method": name})
	}
	config, err := json.Marshal(map[string]any{"methodConfig": []any{map[string]any{
		"name": names,
		"retryPolicy": map[string]any{
			"maxAttempts":          maxAttempts,
			"initialBackoff":       fmt.Sprintf("%gs", initialDelay.Seconds()),
			"maxBackoff":           "2s",
			"backoffMultiplier":    2,
			"retryableStatusCodes": []string{"UNAVAILABLE"},
		},
	}}})
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	return string(config)
}

// splitMethod takes "/execsvc.v1.ServerService/GetServerInfo" apart.
func splitMethod(full string) (service, method string) {
	for at := len(full) - 1; at > 0; at-- {
		if full[at] == '/' {
			return full[1:at], full[at+1:]
		}
	}
	return "", full
}

// dialOptions returns this client's options for gRPC, the user's after them.
func (s *settings) grpcOptions() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(maxRequestBytes),
			// The full record of an execution holds its input and every node's output: no limit that fits requests
			// fits it.
			grpc.MaxCallRecvMsgSize(math.MaxInt32),
		),
		// Notices a dead peer while a call waits; the server's heartbeats on streams keep these pings within its limits.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// The default waits up to two minutes between attempts to connect, long after a server is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: initialDelay, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 20 * time.Second,
		}),
	}
	if s.token != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer{s.token}))
	}
	return append(options, s.dialOptions...)
}

// bearer sends a token with each attempt of each call.
type bearer struct{ source TokenSource }

func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.source(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if err != nil || token == "" {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity is false: a server on the same machine may ask for tokens without TLS.
func (b bearer) RequireTransportSecurity() bool { return false }
