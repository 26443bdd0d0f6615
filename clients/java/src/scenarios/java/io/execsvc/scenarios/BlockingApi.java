package io.execsvc.scenarios;

import io.execsvc.client.ControlOptions;
import io.execsvc.client.Definition;
import io.execsvc.client.ExecuteOptions;
import io.execsvc.client.Execution;
import io.execsvc.client.ExecutionClient;
import io.execsvc.client.ExecutionStatus;
import io.execsvc.client.ExecutionView;
import io.execsvc.client.ListLogsOptions;
import io.execsvc.client.ListOptions;
import io.execsvc.client.LogEntry;
import io.execsvc.client.LogOptions;
import io.execsvc.client.LogStream;
import io.execsvc.client.NodeType;
import io.execsvc.client.Page;
import io.execsvc.client.ServerInfo;
import io.execsvc.client.Snapshot;
import io.execsvc.client.Validation;
import io.execsvc.client.WatchStream;
import io.execsvc.client.Workflow;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** The blocking manner: threads are interrupted, streams are closed. */
record BlockingApi(ExecutionClient client) implements Api {
  @Override
  public ExecutionStatus execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return client.execute(definition, input, options);
  }

  @Override
  public ExecutionStatus executeStored(
      String workflowId, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return client.executeStored(workflowId, input, options);
  }

  @Override
  public ExecutionStatus status(String id) {
    return client.status(id);
  }

  @Override
  public Execution get(String id, ExecutionView view) {
    return client.get(id, view);
  }

  @Override
  public Execution waitFor(String id, Duration timeout, Invocation invocation) {
    return timeout == null ? client.waitFor(id) : client.waitFor(id, timeout);
  }

  @Override
  public StreamEnd logs(
      String id, Consumer<LogOptions> options, Predicate<LogEntry> reader, Invocation invocation) {
    try (LogStream log = client.logs(id, options)) {
      invocation.onCancel(log::close);
      for (LogEntry entry : log) {
        if (!reader.test(entry)) {
          break;
        }
      }
      return new StreamEnd(log.lastSequence(), log.finalStatus().orElse(null));
    }
  }

  @Override
  public StreamEnd watch(
      String id, boolean includeTokens, Predicate<Snapshot> reader, Invocation invocation) {
    try (WatchStream watch = client.watch(id, includeTokens)) {
      invocation.onCancel(watch::close);
      for (Snapshot snapshot : watch) {
        if (!reader.test(snapshot)) {
          break;
        }
      }
      return new StreamEnd(0, watch.finalStatus().orElse(null));
    }
  }

  @Override
  public Iterable<LogEntry> listLogs(String id, Consumer<ListLogsOptions> options) {
    return client.listLogs(id, options);
  }

  @Override
  public Iterable<Execution> list(Consumer<ListOptions> options) {
    return client.listExecutions(options);
  }

  @Override
  public Page<Execution> listPage(Consumer<ListOptions> options) {
    return client.listExecutionsPage(options);
  }

  @Override
  public ExecutionStatus control(String action, String id, Consumer<ControlOptions> options) {
    return switch (action) {
      case "pause" -> client.pause(id, options);
      case "resume" -> client.resume(id, options);
      case "stop" -> client.stop(id, options);
      default -> client.retry(id, options);
    };
  }

  @Override
  public void delete(String id) {
    client.delete(id);
  }

  @Override
  public Validation validate(Definition definition) {
    return client.validate(definition);
  }

  @Override
  public Workflow createWorkflow(String id, Definition definition) {
    return client.createWorkflow(id, definition);
  }

  @Override
  public Workflow getWorkflow(String id, String version) {
    return client.getWorkflow(id, version);
  }

  @Override
  public Iterable<Workflow> listWorkflows(String id) {
    return client.listWorkflows(id);
  }

  @Override
  public List<NodeType> nodeTypes() {
    return client.nodeTypes();
  }

  @Override
  public ServerInfo serverInfo() {
    return client.serverInfo();
  }
}
