package execsvc

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Resource is the thing that an error is about.
type Resource struct {
	// Type is its kind, for example "execsvc.v1.Execution".
	Type string
	// Name is its id.
	Name string
	// Description says what is the matter with it; may be empty.
	Description string
}

// Violation is a precondition that does not hold, or a quota that is used up.
type Violation struct {
	// Type is the kind of the precondition; empty for quotas.
	Type string
	// Subject is what it concerns, for example an execution's id.
	Subject string
	// Description says what does not hold, for people.
	Description string
}

// fromRPC returns what stands for a failed gRPC call, its details unpacked.
func fromRPC(err error) *Error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	found, ok := status.FromError(err)
	if !ok {
		found = status.FromContextError(err)
	}
	translated := &Error{Code: found.Code(), Message: found.Message(), status: found, cause: err}
	if translated.Code == codes.Internal && strings.HasPrefix(translated.Message, "grpc: error while marshaling") {
		// Text in a message of the caller's own that is no UTF-8: the request's fault, and it was not sent.
		return &Error{Code: codes.InvalidArgument, Reason: invalidRequest, Message: translated.Message, cause: err}
	}
	for _, detail := range found.Details() {
		// Details that do not parse come as errors, and count as absent.
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			translated.Reason, translated.Domain, translated.Metadata = detail.Reason, detail.Domain, detail.Metadata
		case *errdetails.BadRequest:
			for _, item := range detail.FieldViolations {
				translated.FieldViolations = append(translated.FieldViolations,
					Problem{Path: item.Field, Reason: item.Reason, Message: item.Description})
			}
		case *errdetails.ResourceInfo:
			translated.Resource = &Resource{
				Type: detail.ResourceType, Name: detail.ResourceName, Description: detail.Description,
			}
		case *errdetails.PreconditionFailure:
			for _, item := range detail.Violations {
				translated.Preconditions = append(translated.Preconditions,
					Violation{Type: item.Type, Subject: item.Subject, Description: item.Description})
			}
		case *errdetails.QuotaFailure:
			for _, item := range detail.Violations {
				translated.Quotas = append(translated.Quotas,
					Violation{Subject: item.Subject, Description: item.Description})
			}
		case *errdetails.RetryInfo:
			translated.RetryDelay = detail.RetryDelay.AsDuration()
		}
	}
	if translated.Code == codes.Canceled && translated.Message == cutOff && translated.Reason == "" {
		// Nobody's wish: that code would say so.
		told := status.New(codes.Unavailable,
			"the server gave the call up before it was read, as one does that closes or is overrun")
		return &Error{Code: told.Code(), Message: told.Message(), cutOff: true, status: told, cause: err}
	}
	return translated
}

// cutOff is what a server's gRPC core says, with the code of the same name, of a call that it hands to nobody: one that
// comes while the server closes, or while more wait than it keeps. A call given up on this side is told in other words.
const cutOff = "CANCELLED"

// invalidRequest is the reason the server, too, gives for requests that are not valid.
const invalidRequest = "INVALID_REQUEST"

// invalid returns the error for problems that were found before anything was sent; nil for none.
func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	message := problems[0].String()
	if more := len(problems) - 1; more > 0 {
		message = fmt.Sprintf("%s (and %d more)", message, more)
	}
	return &Error{Code: codes.InvalidArgument, Reason: invalidRequest, Message: message, FieldViolations: problems}
}

// toStatus returns the status of an error that did not come from a server.
func (e *Error) toStatus() *status.Status {
	plain := status.New(e.Code, e.Message)
	bad := &errdetails.BadRequest{}
	for _, problem := range e.FieldViolations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: problem.Path, Reason: problem.Reason, Description: problem.Message,
		})
	}
	detailed, err := plain.WithDetails(&errdetails.ErrorInfo{Reason: e.Reason, Domain: e.Domain}, bad)
	if err != nil {
		return plain
	}
	return detailed
}
