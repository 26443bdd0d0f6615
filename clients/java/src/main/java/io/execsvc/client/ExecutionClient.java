package io.execsvc.client;

import io.grpc.Channel;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Runs workflows on an execsvc server, follows and controls them. Safe to share between threads.
 *
 * <pre>{@code
 * try (ExecutionClient client = ExecutionClient.connect("127.0.0.1:50051")) {
 *   Definition triage = Definition.read(Path.of("triage.json"));
 *   ExecutionStatus status = client.execute(triage, Map.of("text", "my order is late"));
 *   System.out.println(client.waitFor(status.executionId()).output());
 * }
 * }</pre>
 *
 * <p>Every call may throw the subclasses of {@link ExecsvcException}, and {@link
 * CancelledException} where the thread is interrupted. Calls are repeated while the server is
 * unavailable, up to five times within {@code callTimeout}; Execute and Control carry an id each,
 * so that a repeat does nothing twice. Delete alone is not repeated.
 */
public final class ExecutionClient implements AutoCloseable {
  private final AsyncExecutionClient async;

  ExecutionClient(Caller caller) {
    this.async = new AsyncExecutionClient(caller);
  }

  /**
   * Makes a client without TLS and token.
   *
   * @param target host and port of the server
   * @return the client, to be closed
   */
  public static ExecutionClient connect(String target) {
    return builder().target(target).build();
  }

  /**
   * Returns what makes a client.
   *
   * @return a builder with the standard settings
   */
  public static ClientBuilder builder() {
    return new ClientBuilder();
  }

  /**
   * Returns the same calls without blocking.
   *
   * @return a client that shares this connection
   */
  public AsyncExecutionClient async() {
    return async;
  }

  /**
   * Returns the connection for the stubs of {@code io.execsvc.v1}, with which everything is
   * possible that the API has. Sends the token; repeats only what changes nothing.
   *
   * @return for example for {@code ExecutionServiceGrpc.newBlockingStub}
   */
  public Channel channel() {
    return async.caller().connection().channel();
  }

  /** Closes the connection; calls still under way end with {@link CancelledException}. */
  @Override
  public void close() {
    async.caller().connection().close();
  }

  /**
   * Starts an execution; see {@link #execute(Definition, Map, Consumer)}.
   *
   * @param definition the workflow
   * @param input what it is given
   * @return the execution, {@code PENDING}
   */
  public ExecutionStatus execute(Definition definition, Map<String, ?> input) {
    return Caller.await(async.execute(definition, input));
  }

  /**
   * Starts an execution; returns once the server has it on disk.
   *
   * @param definition the workflow
   * @param input what it is given: null, booleans, numbers, strings, lists and maps. Numbers travel
   *     as doubles: an integer that a double cannot hold exactly (beyond 2^53) is refused, send it
   *     as text
   * @param options sets what else there is, for example {@code options ->
   *     options.executionId("order-17")}
   * @return the execution, {@code PENDING} unless the call is a repeat
   * @throws InvalidArgumentException with every problem in {@code fieldViolations}
   * @throws AlreadyExistsException the id was used with another request
   * @throws ResourceExhaustedException something is too large, or the queue is full; then with a
   *     {@code retryDelay}
   */
  public ExecutionStatus execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return Caller.await(async.execute(definition, input, options));
  }

  /**
   * Starts an execution of a stored workflow, the newest version unless options say which.
   *
   * @param workflowId id of the workflow
   * @param input what it is given, as in {@link #execute(Definition, Map, Consumer)}
   * @param options sets what else there is
   * @return the execution, {@code PENDING} unless the call is a repeat
   * @throws NotFoundException there is no such workflow
   * @throws InvalidArgumentException with every problem in {@code fieldViolations}
   * @throws AlreadyExistsException the id was used with another request
   * @throws ResourceExhaustedException something is too large, or the queue is full; then with a
   *     {@code retryDelay}
   */
  public ExecutionStatus executeStored(
      String workflowId, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return Caller.await(async.executeStored(workflowId, input, options));
  }

  /**
   * Returns where an execution stands.
   *
   * @param executionId id of the execution
   * @return its status
   * @throws NotFoundException there is none with this id
   */
  public ExecutionStatus status(String executionId) {
    return Caller.await(async.status(executionId));
  }

  /**
   * Returns the full record of an execution.
   *
   * @param executionId id of the execution
   * @return the record
   * @throws NotFoundException there is none with this id
   */
  public Execution get(String executionId) {
    return get(executionId, ExecutionView.FULL);
  }

  /**
   * Returns the record of an execution.
   *
   * @param executionId id of the execution
   * @param view how much of it
   * @return the record
   * @throws NotFoundException there is none with this id
   */
  public Execution get(String executionId, ExecutionView view) {
    return Caller.await(async.get(executionId, view));
  }

  /**
   * Waits until an execution has ended, as long as it takes, and returns its full record.
   *
   * <p>Does not poll, and goes on through restarts of the server. An execution that {@code FAILED}
   * or was {@code STOPPED} is returned like any other: look at {@code state} and {@code error}.
   *
   * @param executionId id of the execution
   * @return its full record
   * @throws NotFoundException there is none with this id
   * @throws UnavailableException the server was away for longer than {@code reconnectTimeout}
   */
  public Execution waitFor(String executionId) {
    return Caller.await(async.waitFor(executionId));
  }

  /**
   * Waits until an execution has ended, for some time; see {@link #waitFor(String)}.
   *
   * @param executionId id of the execution
   * @param timeout how long at most
   * @return its full record
   * @throws DeadlineExceededException it had not ended by then; it goes on all the same
   */
  public Execution waitFor(String executionId, Duration timeout) {
    return Caller.await(async.waitFor(executionId, timeout));
  }

  /**
   * Returns the entries of an execution's log that there are now, as a stream.
   *
   * @param executionId id of the execution
   * @return the stream, to be closed; nothing is sent before it is read
   */
  public LogStream logs(String executionId) {
    return logs(executionId, options -> {});
  }

  /**
   * Returns the log of an execution as a stream that survives broken connections: it connects again
   * at its cursor by itself, with growing pauses, so nothing is missed and nothing comes twice.
   *
   * <pre>{@code
   * try (LogStream log = client.logs(id, options -> options.follow(true))) {
   *   for (LogEntry entry : log) {
   *     System.out.println(entry.level() + " " + entry.message());
   *   }
   * }
   * }</pre>
   *
   * <p>Reading throws {@link NotFoundException} where there is no such execution, and {@link
   * OutOfRangeException} where {@code afterSequence} lies outside the log.
   *
   * @param executionId id of the execution
   * @param options sets which entries, and whether to follow
   * @return the stream, to be closed; nothing is sent before it is read
   * @throws InvalidArgumentException an option cannot be sent
   */
  public LogStream logs(String executionId, Consumer<LogOptions> options) {
    return new LogStream(async.caller().connection(), async.logCursor(executionId, options));
  }

  /**
   * Returns snapshots of an execution, without tokens; see {@link #watch(String, boolean)}.
   *
   * @param executionId id of the execution
   * @return the stream, to be closed; nothing is sent before it is read
   */
  public WatchStream watch(String executionId) {
    return watch(executionId, false);
  }

  /**
   * Returns snapshots of an execution as a stream that survives broken connections. The first comes
   * at once, then one after each change, the last in its final state; changes that come faster than
   * they are read are joined.
   *
   * @param executionId id of the execution
   * @param includeTokens also hand out what language models answer, piece by piece, from now on
   * @return the stream, to be closed; reading throws {@link NotFoundException} if there is none
   */
  public WatchStream watch(String executionId, boolean includeTokens) {
    return new WatchStream(
        async.caller().connection(), async.watchCursor(executionId, includeTokens));
  }

  /**
   * Returns the entries that there are now, oldest first, fetched page by page as they are read.
   *
   * @param executionId id of the execution
   * @param options sets which entries
   * @return the list; reading throws {@link NotFoundException} where there is no such execution
   */
  public Listing<LogEntry> listLogs(String executionId, Consumer<ListLogsOptions> options) {
    return new Listing<>(
        token -> listLogsPage(executionId, options.andThen(with -> with.pageToken(token))));
  }

  /**
   * Returns one page of the entries that there are now; for those who hand pages on.
   *
   * @param executionId id of the execution
   * @param options sets which entries, and which page
   * @return the page
   * @throws NotFoundException there is none with this id
   * @throws InvalidArgumentException the token is none of this list
   */
  public Page<LogEntry> listLogsPage(String executionId, Consumer<ListLogsOptions> options) {
    return Caller.await(async.listLogsPage(executionId, options));
  }

  /**
   * Returns executions, fetched page by page as they are read; without nodes, definition, input and
   * output. Executions that are added or deleted meanwhile shift nothing.
   *
   * @param filter as in {@link ListOptions#filter}; empty: all, the newest first
   * @return the list; reading throws {@link InvalidArgumentException} where the filter cannot be
   *     read
   */
  public Listing<Execution> listExecutions(String filter) {
    return listExecutions(options -> options.filter(filter));
  }

  /**
   * Returns executions, as {@link #listExecutions(String)}, with more options.
   *
   * @param options sets which ones, and their order
   * @return the list; reading throws {@link InvalidArgumentException} where filter or order cannot
   *     be read
   */
  public Listing<Execution> listExecutions(Consumer<ListOptions> options) {
    return new Listing<>(
        token -> listExecutionsPage(options.andThen(with -> with.pageToken(token))));
  }

  /**
   * Returns one page of executions; for those who hand pages on.
   *
   * @param options sets which ones, their order, and which page
   * @return the page
   * @throws InvalidArgumentException filter, order or token cannot be used
   */
  public Page<Execution> listExecutionsPage(Consumer<ListOptions> options) {
    return Caller.await(async.listExecutionsPage(options));
  }

  /**
   * Pauses an execution; see {@link #pause(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @return the status after the change
   */
  public ExecutionStatus pause(String executionId) {
    return pause(executionId, options -> {});
  }

  /**
   * Pauses an execution: nodes under way finish, none starts.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   * @throws FailedPreconditionException it is not {@code RUNNING}
   * @throws AbortedException it is not in the expected state
   * @throws NotFoundException there is none with this id
   */
  public ExecutionStatus pause(String executionId, Consumer<ControlOptions> options) {
    return Caller.await(async.pause(executionId, options));
  }

  /**
   * Resumes a paused execution; see {@link #resume(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @return the status after the change
   */
  public ExecutionStatus resume(String executionId) {
    return resume(executionId, options -> {});
  }

  /**
   * Resumes a paused execution.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   * @throws FailedPreconditionException it is not {@code PAUSED}
   * @throws AbortedException it is not in the expected state
   * @throws NotFoundException there is none with this id
   */
  public ExecutionStatus resume(String executionId, Consumer<ControlOptions> options) {
    return Caller.await(async.resume(executionId, options));
  }

  /**
   * Stops an execution; see {@link #stop(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @return the status after the change
   */
  public ExecutionStatus stop(String executionId) {
    return stop(executionId, options -> {});
  }

  /**
   * Stops an execution: what is under way is cancelled.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   * @throws FailedPreconditionException it has ended already
   * @throws AbortedException it is not in the expected state
   * @throws NotFoundException there is none with this id
   */
  public ExecutionStatus stop(String executionId, Consumer<ControlOptions> options) {
    return Caller.await(async.stop(executionId, options));
  }

  /**
   * Lets an execution go on; see {@link #retry(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @return the status after the change
   */
  public ExecutionStatus retry(String executionId) {
    return retry(executionId, options -> {});
  }

  /**
   * Lets an execution go on from what failed or was stopped; nodes that have finished keep their
   * results.
   *
   * @param executionId id of the execution
   * @param options sets reason, input, expected state and request id
   * @return the status after the change
   * @throws FailedPreconditionException it is neither {@code FAILED} nor {@code STOPPED}
   * @throws InvalidArgumentException the input does not fit the workflow
   * @throws ResourceExhaustedException the queue is full
   * @throws AbortedException it is not in the expected state
   * @throws NotFoundException there is none with this id
   */
  public ExecutionStatus retry(String executionId, Consumer<ControlOptions> options) {
    return Caller.await(async.retry(executionId, options));
  }

  /**
   * Removes an execution that has ended, with its journal and its log; its id may be used again.
   * Not repeated by itself: where {@link UnavailableException} is thrown it may have taken effect.
   *
   * @param executionId id of the execution
   * @throws FailedPreconditionException it has not ended
   * @throws NotFoundException there is none with this id
   */
  public void delete(String executionId) {
    Caller.await(async.delete(executionId));
  }

  /**
   * Checks a definition and finds every problem at once, each with its path.
   *
   * @param definition the workflow
   * @return whether {@code execute} would take it, and its problems
   */
  public Validation validate(Definition definition) {
    return Caller.await(async.validate(definition));
  }

  /**
   * Stores a definition as the newest version of a workflow; {@link #executeStored} runs it. The
   * version is the content's hash: storing the same definition again answers the version there is.
   *
   * @param workflowId id of the workflow
   * @param definition what to store
   * @return the version, and whether it was {@code created}
   * @throws InvalidArgumentException with every problem in {@code fieldViolations}
   */
  public Workflow createWorkflow(String workflowId, Definition definition) {
    return Caller.await(async.createWorkflow(workflowId, definition));
  }

  /**
   * Returns the newest version of a stored workflow.
   *
   * @param workflowId id of the workflow
   * @return the version with its definition
   * @throws NotFoundException there is no such workflow
   */
  public Workflow getWorkflow(String workflowId) {
    return getWorkflow(workflowId, "");
  }

  /**
   * Returns a version of a stored workflow.
   *
   * @param workflowId id of the workflow
   * @param version the version
   * @return the version with its definition
   * @throws NotFoundException there is no such workflow, or not in this version
   */
  public Workflow getWorkflow(String workflowId, String version) {
    return Caller.await(async.getWorkflow(workflowId, version));
  }

  /**
   * Returns the versions of a stored workflow, or all workflows in their newest, newest first.
   *
   * @param workflowId id of the workflow; empty: all
   * @return the list, without definitions, fetched page by page as it is read
   */
  public Listing<Workflow> listWorkflows(String workflowId) {
    return new Listing<>(token -> listWorkflowsPage(workflowId, 100, token));
  }

  /**
   * Returns one page of stored workflows; for those who hand pages on.
   *
   * @param workflowId the one whose versions to list; empty: the newest version of each
   * @param pageSize how many at most, up to 1,000
   * @param pageToken {@code nextToken} of the page before; empty: the first page
   * @return the page
   */
  public Page<Workflow> listWorkflowsPage(String workflowId, int pageSize, String pageToken) {
    return Caller.await(async.listWorkflowsPage(workflowId, pageSize, pageToken));
  }

  /**
   * Returns the node types that the server runs, with the JSON Schema of each config.
   *
   * @return the types, by name
   */
  public List<NodeType> nodeTypes() {
    return Caller.await(async.nodeTypes());
  }

  /**
   * Returns what the server is.
   *
   * @return version, limits and capabilities
   */
  public ServerInfo serverInfo() {
    return Caller.await(async.serverInfo());
  }
}
