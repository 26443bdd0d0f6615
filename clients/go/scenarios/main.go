// Command scenarios runs the scenarios of clients/scenarios with the Go client, and prints one JSON line for each.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	execsvc "github.com/execsvc/execsvc/clients/go"
)

// limit is how long a scenario may take.
const limit = 120 * time.Second

type scenario struct {
	Name  string           `json:"name"`
	Steps []map[string]any `json:"steps"`
}

type suite struct {
	Target      string                    `json:"target"`
	Definitions map[string]map[string]any `json:"definitions"`
	Scenarios   []scenario                `json:"scenarios"`
}

type verdict struct {
	Scenario string `json:"scenario"`
	OK       bool   `json:"ok"`
	Step     *int   `json:"step,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

func main() {
	ok, err := runAll(os.Getenv("EXECSVC_LAB"), os.Getenv("EXECSVC_ONLY"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

func runAll(lab, only string) (bool, error) {
	if lab == "" {
		return false, fmt.Errorf("EXECSVC_LAB is not set: start the lab, and name its address there")
	}
	var found suite
	if err := call(context.Background(), http.MethodGet, lab+"/scenarios", nil, &found); err != nil {
		return false, err
	}
	client, err := execsvc.Dial(found.Target)
	if err != nil {
		return false, err
	}
	defer client.Close()
	all := true
	for _, scenario := range found.Scenarios {
		if only != "" && !slices.Contains(strings.Split(only, ","), scenario.Name) {
			continue
		}
		verdict := runOne(scenario, newRun(lab, client, found.Definitions))
		all = all && verdict.OK
		line, err := encode(verdict)
		if err != nil {
			return false, err
		}
		fmt.Println(line)
	}
	return all, nil
}

func runOne(scenario scenario, run *run) (result verdict) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	result = verdict{Scenario: scenario.Name}
	at := 0
	defer func() {
		if panicked := recover(); panicked != nil {
			result.Step, result.Problem = &at, fmt.Sprintf("the runner or the client panicked: %v", panicked)
		}
		cancel()
		run.close()
	}()
	for ; at < len(scenario.Steps); at++ {
		if err := run.step(ctx, scenario.Steps[at]); err != nil {
			result.Step, result.Problem = &at, err.Error()
			return result
		}
	}
	result.OK = true
	return result
}

// call makes an HTTP call to the lab and reads its JSON answer, numbers as they are written.
func call(ctx context.Context, method, url string, body any, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := encode(body)
		if err != nil {
			return err
		}
		content = strings.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return fmt.Errorf("the lab answers %s: %s", response.Status, text)
	}
	return decode(text, answer)
}

func decode(text []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(target)
}

// encode writes JSON compactly, keys sorted, nothing escaped that need not be.
func encode(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
