package execsvc

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// State is where an execution stands.
type State string

// The states of an execution. A server newer than this client may send others; they read as unspecified, and the
// message behind the result (Raw) has their number.
const (
	StateUnspecified State = "UNSPECIFIED"
	StatePending     State = "PENDING"
	StateRunning     State = "RUNNING"
	StatePaused      State = "PAUSED"
	StateCompleted   State = "COMPLETED"
	StateFailed      State = "FAILED"
	StateStopped     State = "STOPPED"
)

// Terminal tells whether the execution has ended: COMPLETED, FAILED or STOPPED.
func (s State) Terminal() bool { return s == StateCompleted || s == StateFailed || s == StateStopped }

// NodeState is where a node of an execution stands.
type NodeState string

// The states of a node.
const (
	NodeUnspecified NodeState = "UNSPECIFIED"
	NodePending     NodeState = "PENDING"
	NodeRunning     NodeState = "RUNNING"
	NodeCompleted   NodeState = "COMPLETED"
	NodeFailed      NodeState = "FAILED"
	NodeSkipped     NodeState = "SKIPPED"
	NodeCancelled   NodeState = "CANCELLED"
)

// Level is how much a log entry matters.
type Level string

// The levels, least first.
const (
	LevelUnspecified Level = "UNSPECIFIED"
	LevelDebug       Level = "DEBUG"
	LevelInfo        Level = "INFO"
	LevelWarning     Level = "WARNING"
	LevelError       Level = "ERROR"
)

// enum is a generated enum.
type enum interface {
	Descriptor() protoreflect.EnumDescriptor
	Number() protoreflect.EnumNumber
}

// enumName returns the name of a value without the enum's prefix.
func enumName[Name ~string](value enum) Name {
	values := value.Descriptor().Values()
	zero := string(values.Get(0).Name())
	prefix := strings.TrimSuffix(zero, "UNSPECIFIED")
	if found := values.ByNumber(value.Number()); found != nil {
		return Name(strings.TrimPrefix(string(found.Name()), prefix))
	}
	return Name(strings.TrimPrefix(zero, prefix))
}

// number returns the state's number on the wire; empty is unspecified.
func (s State) number(path string, problems *problems) execsvcv1.ExecutionState {
	return execsvcv1.ExecutionState(enumNumber(execsvcv1.ExecutionState(0), string(s), path, problems))
}

// number returns the level's number on the wire; empty is unspecified.
func (l Level) number(path string, problems *problems) execsvcv1.LogLevel {
	return execsvcv1.LogLevel(enumNumber(execsvcv1.LogLevel(0), string(l), path, problems))
}

func enumNumber(kind enum, name, path string, problems *problems) protoreflect.EnumNumber {
	if name == "" {
		return 0
	}
	if found := toEnum(kind.Descriptor(), name, path, problems); found.IsValid() {
		return found.Enum()
	}
	return 0
}
