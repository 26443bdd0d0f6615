package execsvc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of errors, for errors.Is. An error of kind ErrDefinition is of kind ErrInvalidArgument as well.
var (
	// ErrInvalidArgument: the request is not valid; FieldViolations name each problem. Do not repeat it unchanged.
	ErrInvalidArgument = errors.New("execsvc: the request is not valid")
	// ErrDefinition: the workflow definition cannot be read; nothing was sent. What only the server can know
	// (expressions, cycles, names that are not upstream) is ErrInvalidArgument, or what Validate answers.
	ErrDefinition = errors.New("execsvc: the definition cannot be read")
	// ErrNotFound: there is no execution or stored workflow with this id, or this caller may not see it.
	ErrNotFound = errors.New("execsvc: not found")
	// ErrAlreadyExists: the id was used before with another request; ExecutionID and State say of which.
	ErrAlreadyExists = errors.New("execsvc: already exists")
	// ErrFailedPrecondition: the execution's state does not allow this action; State says what it is.
	ErrFailedPrecondition = errors.New("execsvc: the state does not allow this")
	// ErrAborted: the execution is not in the expected state, or another call was faster. Look, then decide again.
	ErrAborted = errors.New("execsvc: another call was faster")
	// ErrOutOfRange: the cursor lies outside the log.
	ErrOutOfRange = errors.New("execsvc: outside the log")
	// ErrResourceExhausted: something is too large, or a limit is reached; with RetryDelay another attempt makes sense.
	ErrResourceExhausted = errors.New("execsvc: a limit is reached")
	// ErrUnauthenticated: the server does not know who calls: the token is missing, wrong or expired.
	ErrUnauthenticated = errors.New("execsvc: not authenticated")
	// ErrPermissionDenied: the caller is known, but may not do this.
	ErrPermissionDenied = errors.New("execsvc: not allowed")
	// ErrUnavailable: the server cannot be reached, or takes no calls right now. The client has tried again already.
	ErrUnavailable = errors.New("execsvc: the server is unavailable")
	// ErrDeadlineExceeded: no answer came in time; the call may have taken effect. Also context.DeadlineExceeded.
	ErrDeadlineExceeded = errors.New("execsvc: no answer in time")
	// ErrCancelled: the call was given up, or the client was closed. Also context.Canceled.
	ErrCancelled = errors.New("execsvc: given up")
	// ErrUnimplemented: the server has no such call; it is older than this client, or no execsvc server.
	ErrUnimplemented = errors.New("execsvc: the server has no such call")
	// ErrInternal: the server, or something on the way to it, has a bug.
	ErrInternal = errors.New("execsvc: internal error")
)

var kinds = map[codes.Code]error{
	codes.InvalidArgument:    ErrInvalidArgument,
	codes.NotFound:           ErrNotFound,
	codes.AlreadyExists:      ErrAlreadyExists,
	codes.FailedPrecondition: ErrFailedPrecondition,
	codes.Aborted:            ErrAborted,
	codes.OutOfRange:         ErrOutOfRange,
	codes.ResourceExhausted:  ErrResourceExhausted,
	codes.Unauthenticated:    ErrUnauthenticated,
	codes.PermissionDenied:   ErrPermissionDenied,
	codes.Unavailable:        ErrUnavailable,
	codes.DeadlineExceeded:   ErrDeadlineExceeded,
	codes.Canceled:           ErrCancelled,
	codes.Unimplemented:      ErrUnimplemented,
}

// Error is why a call did not succeed. Every error of a Client's calls and streams is one, except for a file that
// cannot be read and for values that encoding/json refuses.
type Error struct {
	// Code is the gRPC status.
	Code codes.Code
	// Message is what happened, for people.
	Message string
	// Reason is the stable name of the error, UPPER_SNAKE_CASE, for example "EXECUTION_NOT_FOUND"; empty where the
	// error did not come from an execsvc server.
	Reason string
	// Domain says who defines the reason; "execsvc" for errors of the service.
	Domain string
	// Metadata has facts by name, such as execution_id and state.
	Metadata map[string]string
	// FieldViolations say what is wrong with the request, each with its path.
	FieldViolations []Problem
	// Resource is what the error is about; nil where the server does not say.
	Resource *Resource
	// Preconditions are what would have to hold first.
	Preconditions []Violation
	// Quotas are limits that are used up.
	Quotas []Violation
	// RetryDelay is after how long another attempt makes sense; 0 where the server names none.
	RetryDelay time.Duration

	definition bool
	// cutOff: a server's gRPC core gave the call up. It is unavailable, but gRPC on this side does not know.
	cutOff bool
	status *status.Status
	cause  error
}

// Error returns the message with the reason, or the code where there is none.
func (e *Error) Error() string {
	name := e.Reason
	if name == "" {
		name = CodeName(e.Code)
	}
	message := e.Message
	if message == "" {
		message = strings.TrimPrefix(e.Kind().Error(), "execsvc: ")
	}
	return fmt.Sprintf("%s [%s]", message, name)
}

// Is tells whether the error is of a kind, for errors.Is.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrDefinition:
		return e.definition
	case context.Canceled:
		return e.Code == codes.Canceled
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	}
	return target == e.Kind()
}

// Kind returns the kind of the error by its code, for example ErrNotFound; ErrInternal for codes without a kind of
// their own. It fits a switch.
func (e *Error) Kind() error {
	if kind, known := kinds[e.Code]; known {
		return kind
	}
	return ErrInternal
}

// Unwrap returns what is behind the error: gRPC's own, or the cause of a context that is done.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus returns the status with all its details, for status.FromError and status.Code.
func (e *Error) GRPCStatus() *status.Status {
	if e.status != nil {
		return e.status
	}
	return e.toStatus()
}

// Timeout tells whether no answer came in time, as net.Error does.
func (e *Error) Timeout() bool { return e.Code == codes.DeadlineExceeded }

// ExecutionID is the id of the execution the error is about; empty where it is about none.
func (e *Error) ExecutionID() string {
	if id, named := e.Metadata["execution_id"]; named {
		return id
	}
	if e.Resource != nil && strings.HasSuffix(strings.ToLower(e.Resource.Type), "execution") {
		return e.Resource.Name
	}
	return ""
}

// State is that execution's state when the call was refused; empty where the server does not tell.
func (e *Error) State() State { return State(e.Metadata["state"]) }

// broken is what gRPC writes where a connection broke without a status from the server.
var broken = []string{
	"RST_STREAM", "GOAWAY", "ENHANCE_YOUR_CALM", "unexpected EOF", "connection reset",
	"server closed the stream without sending trailers",
}

// lostConnection tells whether a stream broke for a reason that says nothing about the request, so that connecting again
// may help.
func (e *Error) lostConnection() bool {
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	case codes.Internal, codes.Unknown, codes.Canceled, codes.ResourceExhausted:
		if e.Reason != "" {
			return false
		}
		for _, mark := range broken {
			if strings.Contains(e.Message, mark) {
				return true
			}
		}
	}
	return false
}

// CodeName returns the name of a code as every language writes it, for example "NOT_FOUND".
func CodeName(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	var name strings.Builder
	for at, letter := range code.String() {
		if at > 0 && letter >= 'A' && letter <= 'Z' && code != codes.OK {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}
