package io.execsvc.client;

import io.execsvc.v1.ExecutionServiceGrpc;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * The calls of {@link ExecutionClient}, which also says what they do, without blocking. Made by
 * {@link ExecutionClient#async()}, whose connection it shares and which closes it. Safe to share
 * between threads.
 *
 * <p>A future ends with the answer, or with an {@link ExecsvcException} (which {@code join} wraps
 * in a {@code CompletionException}); cancelling the future that a method has returned ends the call
 * on the server. What depends on a future runs on a thread of gRPC: long work belongs to an
 * executor of your own.
 */
public final class AsyncExecutionClient {
  private final Caller caller;

  AsyncExecutionClient(Caller caller) {
    this.caller = caller;
  }

  Caller caller() {
    return caller;
  }

  /**
   * Starts an execution; see {@link ExecutionClient#execute(Definition, Map)}.
   *
   * @param definition the workflow
   * @param input what it is given
   * @return the execution, once the server has it on disk
   */
  public CompletableFuture<ExecutionStatus> execute(Definition definition, Map<String, ?> input) {
    return execute(definition, input, options -> {});
  }

  /**
   * Starts an execution; see {@link ExecutionClient#execute(Definition, Map, Consumer)}.
   *
   * @param definition the workflow
   * @param input what it is given
   * @param options sets what else there is
   * @return the execution, once the server has it on disk
   */
  public CompletableFuture<ExecutionStatus> execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return caller.run(() -> ExecutionCalls.execute(definition, input, options));
  }

  /**
   * Starts an execution of a stored workflow; see {@link ExecutionClient#executeStored}.
   *
   * @param workflowId id of the workflow
   * @param input what it is given
   * @param options sets what else there is
   * @return the execution, once the server has it on disk
   */
  public CompletableFuture<ExecutionStatus> executeStored(
      String workflowId, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return execute(null, input, options.andThen(with -> with.workflowId(workflowId)));
  }

  /**
   * Asks where an execution stands; see {@link ExecutionClient#status}.
   *
   * @param executionId id of the execution
   * @return its status
   */
  public CompletableFuture<ExecutionStatus> status(String executionId) {
    return caller.run(() -> ExecutionCalls.status(executionId));
  }

  /**
   * Asks for the record of an execution; see {@link ExecutionClient#get(String, ExecutionView)}.
   *
   * @param executionId id of the execution
   * @param view how much of it
   * @return the record
   */
  public CompletableFuture<Execution> get(String executionId, ExecutionView view) {
    return caller.run(() -> ExecutionCalls.get(executionId, view));
  }

  /**
   * Waits until an execution has ended; see {@link ExecutionClient#waitFor(String)}.
   *
   * @param executionId id of the execution
   * @return its full record
   */
  public CompletableFuture<Execution> waitFor(String executionId) {
    return EndWaiter.start(caller, executionId, null);
  }

  /**
   * Waits until an execution has ended; see {@link ExecutionClient#waitFor(String, Duration)}.
   *
   * @param executionId id of the execution
   * @param timeout how long at most
   * @return its full record
   */
  public CompletableFuture<Execution> waitFor(String executionId, Duration timeout) {
    return EndWaiter.start(caller, executionId, timeout);
  }

  /**
   * Hands the log of an execution to a consumer; see {@link ExecutionClient#logs(String,
   * Consumer)}. The consumer is called by one thread at a time, on a thread of gRPC; while it
   * works, the server waits. What it throws ends the stream.
   *
   * @param executionId id of the execution
   * @param options sets which entries, and whether to follow
   * @param consumer takes each entry
   * @return the stream, which is read from now on
   * @throws InvalidArgumentException an option cannot be sent
   */
  public LogSubscription logs(
      String executionId, Consumer<LogOptions> options, Consumer<? super LogEntry> consumer) {
    LogCursor cursor = logCursor(executionId, options);
    return new LogSubscription(
        Follower.start(
            caller.connection(), ExecutionServiceGrpc.getStreamLogsMethod(), cursor, consumer),
        cursor);
  }

  /**
   * Hands snapshots of an execution to a consumer; see {@link ExecutionClient#watch(String,
   * boolean)}. The consumer is called as that of {@link #logs}.
   *
   * @param executionId id of the execution
   * @param includeTokens also hand out what language models answer, piece by piece
   * @param consumer takes each snapshot
   * @return the stream, which is read from now on
   * @throws InvalidArgumentException the id cannot be sent
   */
  public Subscription watch(
      String executionId, boolean includeTokens, Consumer<? super Snapshot> consumer) {
    return new Subscription(
        Follower.start(
            caller.connection(),
            ExecutionServiceGrpc.getWatchExecutionMethod(),
            watchCursor(executionId, includeTokens),
            consumer));
  }

  LogCursor logCursor(String executionId, Consumer<LogOptions> options) {
    return new LogCursor(ExecutionCalls.streamLogs(executionId, options), reconnect());
  }

  WatchCursor watchCursor(String executionId, boolean includeTokens) {
    return new WatchCursor(ExecutionCalls.watch(executionId, includeTokens), reconnect());
  }

  private Reconnect reconnect() {
    return caller.reconnect(OptionalLong.empty(), OptionalLong.empty());
  }

  /**
   * Asks for one page of an execution's log; see {@link ExecutionClient#listLogsPage}.
   *
   * @param executionId id of the execution
   * @param options sets which entries
   * @return the page
   */
  public CompletableFuture<Page<LogEntry>> listLogsPage(
      String executionId, Consumer<ListLogsOptions> options) {
    return caller.run(
        () -> {
          ListLogsOptions with = new ListLogsOptions();
          options.accept(with);
          return ExecutionCalls.listLogs(executionId, with.fields());
        });
  }

  /**
   * Asks for one page of executions; see {@link ExecutionClient#listExecutionsPage}.
   *
   * @param options sets which ones
   * @return the page
   */
  public CompletableFuture<Page<Execution>> listExecutionsPage(Consumer<ListOptions> options) {
    return caller.run(
        () -> {
          ListOptions with = new ListOptions();
          options.accept(with);
          return ExecutionCalls.list(with.fields());
        });
  }

  /**
   * Pauses an execution; see {@link ExecutionClient#pause(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   */
  public CompletableFuture<ExecutionStatus> pause(
      String executionId, Consumer<ControlOptions> options) {
    return caller.run(() -> ExecutionCalls.control(executionId, "pause", options));
  }

  /**
   * Resumes a paused execution; see {@link ExecutionClient#resume(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   */
  public CompletableFuture<ExecutionStatus> resume(
      String executionId, Consumer<ControlOptions> options) {
    return caller.run(() -> ExecutionCalls.control(executionId, "resume", options));
  }

  /**
   * Stops an execution; see {@link ExecutionClient#stop(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @param options sets reason, expected state and request id
   * @return the status after the change
   */
  public CompletableFuture<ExecutionStatus> stop(
      String executionId, Consumer<ControlOptions> options) {
    return caller.run(() -> ExecutionCalls.control(executionId, "stop", options));
  }

  /**
   * Lets an execution go on that has failed or was stopped; see {@link
   * ExecutionClient#retry(String, Consumer)}.
   *
   * @param executionId id of the execution
   * @param options sets reason, input, expected state and request id
   * @return the status after the change
   */
  public CompletableFuture<ExecutionStatus> retry(
      String executionId, Consumer<ControlOptions> options) {
    return caller.run(() -> ExecutionCalls.control(executionId, "retry", options));
  }

  /**
   * Removes an execution that has ended; see {@link ExecutionClient#delete}.
   *
   * @param executionId id of the execution
   * @return ends once it is gone
   */
  public CompletableFuture<Void> delete(String executionId) {
    return caller.run(() -> ExecutionCalls.delete(executionId));
  }

  /**
   * Checks a definition; see {@link ExecutionClient#validate}.
   *
   * @param definition the workflow
   * @return whether it is valid, and its problems
   */
  public CompletableFuture<Validation> validate(Definition definition) {
    return caller.run(() -> WorkflowCalls.validate(definition));
  }

  /**
   * Stores a definition; see {@link ExecutionClient#createWorkflow}.
   *
   * @param workflowId id of the workflow
   * @param definition what to store
   * @return the version
   */
  public CompletableFuture<Workflow> createWorkflow(String workflowId, Definition definition) {
    return caller.run(() -> WorkflowCalls.create(workflowId, definition));
  }

  /**
   * Asks for a version of a stored workflow; see {@link ExecutionClient#getWorkflow(String,
   * String)}.
   *
   * @param workflowId id of the workflow
   * @param version the version; empty: the newest
   * @return the version with its definition
   */
  public CompletableFuture<Workflow> getWorkflow(String workflowId, String version) {
    return caller.run(() -> WorkflowCalls.get(workflowId, version));
  }

  /**
   * Asks for one page of stored workflows; see {@link ExecutionClient#listWorkflowsPage}.
   *
   * @param workflowId the one whose versions to list; empty: the newest version of each
   * @param pageSize how many at most, up to 1,000
   * @param pageToken {@code nextToken} of the page before; empty: the first page
   * @return the page
   */
  public CompletableFuture<Page<Workflow>> listWorkflowsPage(
      String workflowId, int pageSize, String pageToken) {
    return caller.run(() -> WorkflowCalls.list(workflowId, pageSize, pageToken));
  }

  /**
   * Asks for the node types that the server runs.
   *
   * @return the types, by name
   */
  public CompletableFuture<List<NodeType>> nodeTypes() {
    return caller.run(WorkflowCalls::nodeTypes);
  }

  /**
   * Asks what the server is.
   *
   * @return version, limits and capabilities
   */
  public CompletableFuture<ServerInfo> serverInfo() {
    return caller.run(WorkflowCalls::serverInfo);
  }
}
