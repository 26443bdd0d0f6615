// Package execsvc is the Go client of execsvc, the durable workflow-execution service: it starts workflows, waits for
// them, follows them, pauses, resumes, stops and retries them, and looks back.
//
//	client, err := execsvc.Dial("127.0.0.1:50051")
//	…
//	status, err := client.Execute(ctx, &execsvc.ExecuteRequest{Definition: execsvc.DefinitionFile("triage.json"), Input: input})
//	…
//	execution, err := client.Wait(ctx, status.ExecutionID)
//
// Every error of a call is an *[Error]; errors.Is tells its kind ([ErrNotFound], [ErrUnavailable], …), also
// context.Canceled and context.DeadlineExceeded. A call takes no longer than its context and [WithCallTimeout] allow,
// streams and Wait no longer than their context.
//
// Calls are repeated up to five times while the server is unavailable. Execute and the control calls carry an id each,
// so a repeat does nothing twice; Delete alone is not repeated.
//
// Results are plain Go values, with the message behind each in its field Raw. The messages themselves and the raw
// stubs are in package execsvcv1; [Client.Conn] is what those stubs need.
package execsvc
