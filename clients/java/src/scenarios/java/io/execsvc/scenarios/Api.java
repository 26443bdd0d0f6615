package io.execsvc.scenarios;

import io.execsvc.client.ControlOptions;
import io.execsvc.client.Definition;
import io.execsvc.client.ExecuteOptions;
import io.execsvc.client.Execution;
import io.execsvc.client.ExecutionStatus;
import io.execsvc.client.ExecutionView;
import io.execsvc.client.ListLogsOptions;
import io.execsvc.client.ListOptions;
import io.execsvc.client.LogEntry;
import io.execsvc.client.LogOptions;
import io.execsvc.client.NodeType;
import io.execsvc.client.Page;
import io.execsvc.client.ServerInfo;
import io.execsvc.client.Snapshot;
import io.execsvc.client.Validation;
import io.execsvc.client.Workflow;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** What a client can do: one implementation for each of the two manners, so that both are tried. */
interface Api {
  /** How a stream ended: its cursor, and where the execution stands (null: not ended). */
  record StreamEnd(long lastSequence, ExecutionStatus finalStatus) {}

  ExecutionStatus execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> options);

  ExecutionStatus executeStored(
      String workflowId, Map<String, ?> input, Consumer<ExecuteOptions> options);

  ExecutionStatus status(String id);

  Execution get(String id, ExecutionView view);

  /** Waits; a null timeout is none. */
  Execution waitFor(String id, Duration timeout, Invocation invocation);

  /** Reads until the stream ends or the reader answers false. */
  StreamEnd logs(
      String id, Consumer<LogOptions> options, Predicate<LogEntry> reader, Invocation invocation);

  /** Reads until the stream ends or the reader answers false. */
  StreamEnd watch(
      String id, boolean includeTokens, Predicate<Snapshot> reader, Invocation invocation);

  Iterable<LogEntry> listLogs(String id, Consumer<ListLogsOptions> options);

  Iterable<Execution> list(Consumer<ListOptions> options);

  Page<Execution> listPage(Consumer<ListOptions> options);

  ExecutionStatus control(String action, String id, Consumer<ControlOptions> options);

  void delete(String id);

  Validation validate(Definition definition);

  Workflow createWorkflow(String id, Definition definition);

  Workflow getWorkflow(String id, String version);

  Iterable<Workflow> listWorkflows(String id);

  List<NodeType> nodeTypes();

  ServerInfo serverInfo();
}
