package execsvc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/execsvc/execsvc/clients/go/execsvcv1"
)

// exported returns what the package's sources export: names, and methods as Type.Method.
func exported(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	add := func(name string) {
		if at := strings.LastIndexByte(name, '.'); ast.IsExported(name) && ast.IsExported(name[at+1:]) {
			names = append(names, name)
		}
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range source.Decls {
			switch declaration := declaration.(type) {
			case *ast.FuncDecl:
				add(receiver(declaration) + declaration.Name.Name)
			case *ast.GenDecl:
				for _, spec := range declaration.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec.Name.Name)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							add(name.Name)
						}
					}
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func receiver(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return ""
	}
	kind := function.Recv.List[0].Type
	if pointer, isPointer := kind.(*ast.StarExpr); isPointer {
		kind = pointer.X
	}
	if name, isName := kind.(*ast.Ident); isName {
		return name.Name + "."
	}
	return "?."
}

// Whoever changes this file changes what users rely on: the CHANGELOG must say so.
func TestPublicNamesAreThoseOfTheList(t *testing.T) {
	list, err := os.ReadFile("testdata/public_names.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(list))
	got := exported(t)
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s is new", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestStatesAndLevelsAreThoseOfTheAPI(t *testing.T) {
	mine := map[string][]string{
		"state": {string(StateUnspecified), string(StatePending), string(StateRunning), string(StatePaused),
			string(StateCompleted), string(StateFailed), string(StateStopped)},
		"node": {string(NodeUnspecified), string(NodePending), string(NodeRunning), string(NodeCompleted), string(NodeFailed),
			string(NodeSkipped), string(NodeCancelled)},
		"level": {string(LevelUnspecified), string(LevelDebug), string(LevelInfo), string(LevelWarning), string(LevelError)},
	}
	for name, kind := range map[string]enum{
		"state": execsvcv1.ExecutionState(0), "node": execsvcv1.NodeState(0), "level": execsvcv1.LogLevel(0),
	} {
		values := kind.Descriptor().Values()
		prefix := strings.TrimSuffix(string(values.Get(0).Name()), "UNSPECIFIED")
		var theirs []string
		for at := range values.Len() {
			theirs = append(theirs, strings.TrimPrefix(string(values.Get(at).Name()), prefix))
		}
		if !slices.Equal(theirs, mine[name]) {
			t.Errorf("%s: the API has %v", name, theirs)
		}
	}
	if got := enumName[State](execsvcv1.ExecutionState(99)); got != StateUnspecified {
		t.Errorf("a value of a newer server reads as %q", got)
	}
}
