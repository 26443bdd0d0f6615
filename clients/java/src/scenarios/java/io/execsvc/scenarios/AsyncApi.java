package io.execsvc.scenarios;

import io.execsvc.client.AsyncExecutionClient;
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
import io.execsvc.client.LogSubscription;
import io.execsvc.client.NodeType;
import io.execsvc.client.Page;
import io.execsvc.client.ServerInfo;
import io.execsvc.client.Snapshot;
import io.execsvc.client.Subscription;
import io.execsvc.client.Validation;
import io.execsvc.client.Workflow;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;

/** The manner of futures: they are cancelled, subscriptions are closed. */
record AsyncApi(AsyncExecutionClient client) implements Api {
  private static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException error) {
      if (error.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw error;
    }
  }

  private static <T> List<T> pages(Function<String, CompletableFuture<Page<T>>> fetch) {
    List<T> items = new ArrayList<>();
    String token = "";
    do {
      Page<T> page = join(fetch.apply(token));
      items.addAll(page.items());
      token = page.nextToken();
    } while (!token.isEmpty());
    return items;
  }

  @Override
  public ExecutionStatus execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return join(client.execute(definition, input, options));
  }

  @Override
  public ExecutionStatus executeStored(
      String workflowId, Map<String, ?> input, Consumer<ExecuteOptions> options) {
    return join(client.executeStored(workflowId, input, options));
  }

  @Override
  public ExecutionStatus status(String id) {
    return join(client.status(id));
  }

  @Override
  public Execution get(String id, ExecutionView view) {
    return join(client.get(id, view));
  }

  @Override
  public Execution waitFor(String id, Duration timeout, Invocation invocation) {
    CompletableFuture<Execution> end =
        timeout == null ? client.waitFor(id) : client.waitFor(id, timeout);
    invocation.onCancel(() -> end.cancel(true));
    return join(end);
  }

  @Override
  public StreamEnd logs(
      String id, Consumer<LogOptions> options, Predicate<LogEntry> reader, Invocation invocation) {
    CompletableFuture<Void> left = new CompletableFuture<>();
    LogSubscription log = client.logs(id, options, entry -> readOn(reader.test(entry), left));
    ExecutionStatus end = ended(log, left, invocation);
    return new StreamEnd(log.lastSequence(), end);
  }

  @Override
  public StreamEnd watch(
      String id, boolean includeTokens, Predicate<Snapshot> reader, Invocation invocation) {
    CompletableFuture<Void> left = new CompletableFuture<>();
    Subscription watch =
        client.watch(id, includeTokens, snapshot -> readOn(reader.test(snapshot), left));
    return new StreamEnd(0, ended(watch, left, invocation));
  }

  /** Leaves a stream from inside its consumer. */
  private static void readOn(boolean on, CompletableFuture<Void> left) {
    if (!on) {
      left.complete(null);
      throw new CancellationException("enough");
    }
  }

  private static ExecutionStatus ended(
      Subscription stream, CompletableFuture<Void> left, Invocation invocation) {
    invocation.onCancel(stream::close);
    try {
      return join(stream.end());
    } catch (CancellationException error) {
      if (left.isDone()) {
        return null;
      }
      throw error;
    }
  }

  @Override
  public Iterable<LogEntry> listLogs(String id, Consumer<ListLogsOptions> options) {
    return pages(token -> client.listLogsPage(id, options.andThen(with -> with.pageToken(token))));
  }

  @Override
  public Iterable<Execution> list(Consumer<ListOptions> options) {
    return pages(
        token -> client.listExecutionsPage(options.andThen(with -> with.pageToken(token))));
  }

  @Override
  public Page<Execution> listPage(Consumer<ListOptions> options) {
    return join(client.listExecutionsPage(options));
  }

  @Override
  public ExecutionStatus control(String action, String id, Consumer<ControlOptions> options) {
    return join(
        switch (action) {
          case "pause" -> client.pause(id, options);
          case "resume" -> client.resume(id, options);
          case "stop" -> client.stop(id, options);
          default -> client.retry(id, options);
        });
  }

  @Override
  public void delete(String id) {
    join(client.delete(id));
  }

  @Override
  public Validation validate(Definition definition) {
    return join(client.validate(definition));
  }

  @Override
  public Workflow createWorkflow(String id, Definition definition) {
    return join(client.createWorkflow(id, definition));
  }

  @Override
  public Workflow getWorkflow(String id, String version) {
    return join(client.getWorkflow(id, version));
  }

  @Override
  public Iterable<Workflow> listWorkflows(String id) {
    return pages(token -> client.listWorkflowsPage(id, 100, token));
  }

  @Override
  public List<NodeType> nodeTypes() {
    return join(client.nodeTypes());
  }

  @Override
  public ServerInfo serverInfo() {
    return join(client.serverInfo());
  }
}
