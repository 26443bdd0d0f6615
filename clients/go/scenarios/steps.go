package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	execsvc "github.com/execsvc/execsvc/clients/go"
)

// run is one run of one scenario.
type run struct {
	lab         string
	definitions map[string]map[string]any
	clients     map[string]*execsvc.Client
	variables   map[string]any
	background  map[string]*task
}

// task is an operation that goes on in the background.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
	result any
	err    error

	lock  sync.Mutex
	read  int
	moved chan struct{} // closed and made anew whenever something was read
}

func newTask(cancel context.CancelFunc) *task {
	return &task{cancel: cancel, done: make(chan struct{}), moved: make(chan struct{})}
}

// note counts an entry or a snapshot; a nil task has nobody who waits for it.
func (t *task) note() {
	if t == nil {
		return
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	t.read++
	close(t.moved)
	t.moved = make(chan struct{})
}

func (t *task) count() (int, <-chan struct{}) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.read, t.moved
}

func newRun(lab string, client *execsvc.Client, definitions map[string]map[string]any) *run {
	return &run{
		lab: lab, definitions: definitions,
		clients:    map[string]*execsvc.Client{"": client},
		variables:  map[string]any{"scope": unique()},
		background: map[string]*task{},
	}
}

func (r *run) close() {
	for _, task := range r.background {
		task.cancel()
		<-task.done
	}
	for name, client := range r.clients {
		if name != "" {
			_ = client.Close()
		}
	}
}

func unique() string { return "go-" + strings.ToLower(rand.Text()[:16]) }

var beside = []string{"as", "expect", "error", "client", "background", "repeat", "parallel"}

// step carries out one step; the error says what went wrong or does not match.
func (r *run) step(ctx context.Context, step map[string]any) error {
	operation := ""
	for key := range step {
		if !slices.Contains(beside, key) {
			operation = key
		}
	}
	name, _ := step["client"].(string)
	client := r.clients[name]
	if client == nil {
		return fmt.Errorf("there is no client %q", name)
	}
	if operation == "connect" {
		// "as" names the client here, be it inside or beside.
		arguments := maps.Clone(step[operation].(map[string]any))
		if name, beside := step["as"].(string); beside {
			arguments["as"] = name
		}
		return r.connect(r.filled(arguments, r.variables).(map[string]any))
	}
	if name, isBackground := step["background"].(string); isBackground {
		ctx, cancel := context.WithCancel(ctx)
		task := newTask(cancel)
		r.background[name] = task
		arguments := r.filled(step[operation], r.variables)
		go func() {
			defer close(task.done)
			task.result, task.err = r.operate(ctx, client, operation, arguments.(map[string]any), task)
		}()
		return nil
	}
	result, err := r.times(ctx, client, operation, step)
	return r.check(step, result, err)
}

func (r *run) check(step map[string]any, result any, err error) error {
	pattern, fails := step["error"]
	var own *execsvc.Error
	switch {
	case fails && err == nil:
		return fmt.Errorf("expected an error, got %s", shown(result))
	case fails && !errors.As(err, &own):
		return err
	case fails:
		if problem := mismatch(r.filled(pattern, r.variables), errorDocument(own), ""); problem != "" {
			return fmt.Errorf("error: %s, in %s", problem, shown(errorDocument(own)))
		}
		return nil
	case errors.As(err, &own):
		return errors.New(shown(errorDocument(own)))
	case err != nil:
		return err
	}
	if name, named := step["as"].(string); named {
		r.variables[name] = result
	}
	if pattern, expected := step["expect"]; expected {
		if problem := mismatch(r.filled(pattern, r.variables), result, ""); problem != "" {
			return errors.New(problem)
		}
	}
	return nil
}

// times carries an operation out once, several times, or several times at once.
func (r *run) times(ctx context.Context, client *execsvc.Client, operation string, step map[string]any) (any, error) {
	once := func(at int) (any, error) {
		variables := maps.Clone(r.variables)
		variables["i"] = json.Number(strconv.Itoa(at))
		arguments, _ := r.filled(step[operation], variables).(map[string]any)
		return r.operate(ctx, client, operation, arguments, nil)
	}
	if parallel, given := step["parallel"]; given {
		return atOnce(integer(parallel), once)
	}
	repeat := 1
	if asked, given := step["repeat"]; given {
		repeat = integer(asked)
	}
	for at := 0; ; at++ {
		result, err := once(at)
		if err != nil || at == repeat-1 {
			return result, err
		}
	}
}

func atOnce(many int, once func(at int) (any, error)) (any, error) {
	var lock sync.Mutex
	var group sync.WaitGroup
	results, failures := []any{}, []any{}
	var harness error
	for at := range many {
		group.Add(1)
		go func() {
			defer group.Done()
			result, err := once(at)
			lock.Lock()
			defer lock.Unlock()
			var own *execsvc.Error
			switch {
			case err == nil:
				results = append(results, result)
			case errors.As(err, &own):
				failures = append(failures, errorDocument(own))
			default:
				harness = err
			}
		}()
	}
	group.Wait()
	return map[string]any{"results": results, "failures": failures}, harness
}

var reference = regexp.MustCompile(`\$\{([^}]+)\}`)

// filled puts variables into the texts of a value.
func (r *run) filled(value any, variables map[string]any) any {
	switch value := value.(type) {
	case string:
		if found := reference.FindStringSubmatch(value); found != nil && found[0] == value {
			return lookUp(found[1], variables)
		}
		return reference.ReplaceAllStringFunc(value, func(found string) string {
			part := lookUp(found[2:len(found)-1], variables)
			if text, isText := part.(string); isText {
				return text
			}
			return shown(part)
		})
	case []any:
		list := make([]any, len(value))
		for at, item := range value {
			list[at] = r.filled(item, variables)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for key, item := range value {
			object[key] = r.filled(item, variables)
		}
		return object
	}
	return value
}

func lookUp(path string, variables map[string]any) any {
	if path == "new" {
		return unique()
	}
	var value any = variables
	for key := range strings.SplitSeq(path, ".") {
		switch found := value.(type) {
		case map[string]any:
			value = found[key]
		case []any:
			at, err := strconv.Atoi(key)
			if err != nil || at >= len(found) {
				panic("there is no " + path)
			}
			value = found[at]
		default:
			panic("there is no " + path)
		}
	}
	return value
}

func integer(value any) int {
	found, err := strconv.Atoi(fmt.Sprint(value))
	if err != nil {
		panic(err)
	}
	return found
}

// native turns numbers into the language's own: integers where they are written as such.
func native(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		number, err := value.Float64()
		if err != nil {
			return value
		}
		return number
	case []any:
		list := make([]any, len(value))
		for at, item := range value {
			list[at] = native(item)
		}
		return list
	case map[string]any:
		if text, isInt := value["$int"].(string); isInt && len(value) == 1 {
			whole, ok := new(big.Int).SetString(text, 10)
			if !ok {
				panic("$int wants digits, got " + text)
			}
			if whole.IsInt64() {
				return whole.Int64()
			}
			return whole
		}
		object := make(map[string]any, len(value))
		for key, item := range value {
			object[key] = native(item)
		}
		return object
	}
	return value
}
