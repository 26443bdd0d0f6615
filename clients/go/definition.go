package execsvc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// Definition is a workflow in one of the forms that are read: made by DefinitionFile, DefinitionJSON, DefinitionOf or
// DefinitionMessage. It is read when it is used; the zero value stands for none.
//
// Only the shape is checked here: names, types and numbers that protobuf could not carry. What a definition means is the
// server's to judge.
type Definition struct {
	read func() (*execsvcv1.WorkflowDefinition, error)
}

// DefinitionFile is the workflow of a JSON file; exports of React Flow editors are taken as well.
func DefinitionFile(path string) Definition {
	return Definition{func() (*execsvcv1.WorkflowDefinition, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("execsvc: read the definition: %w", err)
		}
		return parseDefinition(bytes.TrimPrefix(text, []byte("\uFEFF")), path)
	}}
}

// DefinitionJSON is the workflow of a JSON text.
func DefinitionJSON[Text ~string | ~[]byte](text Text) Definition {
	return Definition{func() (*execsvcv1.WorkflowDefinition, error) {
		return parseDefinition([]byte(text), "definition")
	}}
}

// DefinitionOf is the workflow of Go values in the JSON form: map[string]any{"nodes": …, "edges": …}, or any value that
// encoding/json writes like that. A time.Duration may stand where the JSON form has seconds.
func DefinitionOf(value any) Definition {
	return Definition{func() (*execsvcv1.WorkflowDefinition, error) {
		return toDefinition(value, &problems{})
	}}
}

// DefinitionMessage is a workflow that is protobuf already.
func DefinitionMessage(message *execsvcv1.WorkflowDefinition) Definition {
	return Definition{func() (*execsvcv1.WorkflowDefinition, error) { return message, nil }}
}

// Message reads the definition; nil for the zero value. An error of kind ErrDefinition holds every problem with its
// path; for JSON text the path is line and column.
func (d Definition) Message() (*execsvcv1.WorkflowDefinition, error) {
	if d.read == nil {
		return nil, nil
	}
	return d.read()
}

func parseDefinition(text []byte, name string) (*execsvcv1.WorkflowDefinition, error) {
	problems := &problems{}
	source, ok := parseJSON(text, name, problems)
	if !ok {
		return nil, invalidDefinition(problems)
	}
	return toDefinition(source, problems)
}

func toDefinition(source any, problems *problems) (*execsvcv1.WorkflowDefinition, error) {
	message := &execsvcv1.WorkflowDefinition{}
	if source, ok := simplify(source, "definition", problems); ok {
		if given, isMessage := source.(*execsvcv1.WorkflowDefinition); isMessage {
			return given, nil
		}
		fillDefinition(message, source, problems)
	}
	if err := invalidDefinition(problems); err != nil {
		return nil, err
	}
	return message, nil
}

func invalidDefinition(problems *problems) error {
	err := invalid(problems.found)
	if own := (*Error)(nil); errors.As(err, &own) {
		own.definition = true
	}
	return err
}

// What React Flow writes for its own use. Anything else that is unknown is an error, so that typing mistakes show.
var (
	editorRoot = words("viewport")
	editorNode = words(`position positionAbsolute width height measured initialWidth initialHeight selected selectable
		dragging draggable dragHandle connectable deletable focusable hidden resizing style className sourcePosition
		targetPosition parentId parentNode extent expandParent zIndex ariaLabel ariaRole domAttributes handles origin
		internals`)
	editorEdge = words(`id type data label labelStyle labelShowBg labelBgStyle labelBgPadding labelBgBorderRadius
		targetHandle animated selected selectable deletable focusable reconnectable updatable hidden style className
		markerStart markerEnd zIndex interactionWidth pathOptions ariaLabel ariaRole domAttributes`)
)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}

var (
	nodeMessage = (&execsvcv1.Node{}).ProtoReflect().Descriptor()
	edgeMessage = (&execsvcv1.Edge{}).ProtoReflect().Descriptor()
)

// configField returns the field of a built-in node type's config; nil for any other type.
func configField(kind string) protoreflect.FieldDescriptor {
	field := nodeMessage.Oneofs().ByName("config").Fields().ByName(protoreflect.Name(kind))
	if field == nil || field.Name() == "custom" {
		return nil
	}
	return field
}

// commonField returns a field of a node beside its config, by either spelling; nil where it is none.
func commonField(name string) protoreflect.FieldDescriptor {
	if field := fieldNamed(nodeMessage, name); field != nil && field.ContainingOneof() == nil {
		return field
	}
	return nil
}

func commonNames() []string {
	return slices.DeleteFunc(fieldNames(nodeMessage), func(name string) bool { return commonField(name) == nil })
}

func fillDefinition(message *execsvcv1.WorkflowDefinition, source any, problems *problems) {
	const path = "definition"
	object, isObject := source.(map[string]any)
	if !isObject {
		problems.wrongType(path, "an object with nodes and edges", source)
		return
	}
	refuseUnknown(object, path, []string{"nodes", "edges"}, editorRoot, problems)
	for at, item := range items(object, "nodes", path, problems) {
		node := &execsvcv1.Node{}
		message.Nodes = append(message.Nodes, node)
		fillNode(node, item, index(path+".nodes", at), problems)
	}
	for at, item := range items(object, "edges", path, problems) {
		edge := &execsvcv1.Edge{}
		message.Edges = append(message.Edges, edge)
		fillEdge(edge, item, index(path+".edges", at), problems)
	}
}

func items(source map[string]any, key, path string, problems *problems) []any {
	value, ok := simplify(source[key], member(path, key), problems)
	list, isList := value.([]any)
	if ok && value != nil && !isList {
		problems.wrongType(member(path, key), "a list", value)
	}
	return list
}

func fillNode(node *execsvcv1.Node, source any, path string, problems *problems) {
	simple, ok := simplify(source, path, problems)
	object, isObject := simple.(map[string]any)
	if !isObject {
		if ok {
			problems.wrongType(path, "an object with id, type and config", simple)
		}
		return
	}
	refuseUnknown(object, path, append(commonNames(), "type", "config", "data"), editorNode, problems)
	kind, _ := object["type"].(string)
	field := configField(kind)
	if kind == "" {
		problems.add(path+".type", "REQUIRED", "is required: one of %s, or a plug-in's", strings.Join(builtinTypes(), ", "))
	}
	if object["config"] != nil && object["data"] != nil {
		problems.add(path+".data", "CONFLICT", "config and data mean the same; give one of them")
	}
	key := "config"
	if object["config"] == nil && object["data"] != nil {
		key = "data"
	}
	found, ok := simplify(object[key], member(path, key), problems)
	if !ok {
		return
	}
	if found == nil {
		found = map[string]any{}
	}
	settings := map[string]any{}
	for name, value := range object {
		if commonField(name) != nil && value != nil {
			settings[name] = value
		}
	}
	config, isObject := found.(map[string]any)
	if isObject && key == "data" {
		config = lift(config, settings, field)
	}
	for _, name := range sortedKeys(settings) {
		fillField(node.ProtoReflect(), commonField(name), settings[name], member(path, name), problems)
	}
	switch {
	case !isObject:
		problems.wrongType(member(path, key), "an object", found)
	case field != nil:
		fillMessage(node.ProtoReflect().Mutable(field).Message(), config, member(path, key), problems)
	case kind != "":
		// Whether there is such a plug-in, and what its config may be, only the server knows.
		custom := &execsvcv1.CustomNode{}
		node.Config = &execsvcv1.Node_Custom{Custom: custom}
		fillMessage(custom.ProtoReflect(), map[string]any{"type": kind, "config": config}, path, problems)
	}
}

func builtinTypes() []string {
	var names []string
	fields := nodeMessage.Oneofs().ByName("config").Fields()
	for at := range fields.Len() {
		if name := string(fields.Get(at).Name()); configField(name) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// lift takes the node's own settings out of an editor's data, where there is no other place for them.
func lift(data, settings map[string]any, field protoreflect.FieldDescriptor) map[string]any {
	config := map[string]any{}
	for _, name := range sortedKeys(data) {
		target := name
		if name == "label" {
			target = "name"
		}
		own := name == "id" || field != nil && fieldNamed(field.Message(), name) != nil
		if own || commonField(target) == nil {
			config[name] = data[name]
		} else if _, given := settings[target]; !given && data[name] != nil {
			settings[target] = data[name]
		}
	}
	return config
}

func fillEdge(edge *execsvcv1.Edge, source any, path string, problems *problems) {
	simple, ok := simplify(source, path, problems)
	object, isObject := simple.(map[string]any)
	if !isObject {
		if ok {
			problems.wrongType(path, "an object with source and target", simple)
		}
		return
	}
	names := append(fieldNames(edgeMessage), "sourceHandle")
	refuseUnknown(object, path, names, editorEdge, problems)
	for _, name := range names {
		value := object[name]
		if value == nil {
			continue
		}
		field := name
		if name == "sourceHandle" {
			field = "branch"
			if edge.Branch != "" {
				if value != edge.Branch {
					problems.add(member(path, name), "CONFLICT", "branch and sourceHandle mean the same; give one of them")
				}
				continue
			}
		}
		fillField(edge.ProtoReflect(), fieldNamed(edgeMessage, field), value, member(path, name), problems)
	}
}
