package io.execsvc.client;

import io.execsvc.v1.ControlRequest;
import io.execsvc.v1.DeleteExecutionRequest;
import io.execsvc.v1.ExecuteRequest;
import io.execsvc.v1.ExecutionServiceGrpc;
import io.execsvc.v1.GetExecutionRequest;
import io.execsvc.v1.GetStatusRequest;
import io.execsvc.v1.ListExecutionsRequest;
import io.execsvc.v1.ListLogsRequest;
import io.execsvc.v1.StreamLogsRequest;
import io.execsvc.v1.WatchExecutionRequest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;

/** The calls about executions as data: which method, which request, what the answer means. */
final class ExecutionCalls {
  /** The entries that come with one response of a list, unless another number is asked for. */
  private static final int LOG_PAGE = 1000;

  private static final int EXECUTION_PAGE = 100;

  private ExecutionCalls() {}

  /** The id that is made where there is none makes the call safe to repeat. */
  static Call<?, ?, ExecutionStatus> execute(
      Definition definition, Map<String, ?> input, Consumer<ExecuteOptions> with) {
    ExecuteOptions options = new ExecuteOptions();
    with.accept(options);
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("execution_id", UUID.randomUUID().toString());
    fields.put("definition", definition == null ? null : definition.raw());
    fields.put("input", input == null ? Map.of() : input);
    fields.putAll(options.fields());
    return new Call<>(
        ExecutionServiceGrpc.getExecuteMethod(),
        MessageFiller.<ExecuteRequest>request(ExecuteRequest.newBuilder(), fields),
        response -> new ExecutionStatus(response.getStatus()),
        Repeats.BY_CLIENT);
  }

  static Call<?, ?, ExecutionStatus> status(String executionId) {
    return new Call<>(
        ExecutionServiceGrpc.getGetStatusMethod(),
        MessageFiller.<GetStatusRequest>request(GetStatusRequest.newBuilder(), about(executionId)),
        response -> new ExecutionStatus(response.getStatus()),
        Repeats.BY_GRPC);
  }

  static Call<?, ?, Execution> get(String executionId, ExecutionView view) {
    Map<String, Object> fields = about(executionId);
    fields.put("view", view.name());
    return new Call<>(
        ExecutionServiceGrpc.getGetExecutionMethod(),
        MessageFiller.<GetExecutionRequest>request(GetExecutionRequest.newBuilder(), fields),
        response -> new Execution(response.getExecution()),
        Repeats.BY_GRPC);
  }

  /** The id that is made where there is none makes the call safe to repeat. */
  static Call<?, ?, ExecutionStatus> control(
      String executionId, String action, Consumer<ControlOptions> with) {
    ControlOptions options = new ControlOptions();
    with.accept(options);
    Map<String, Object> fields = about(executionId);
    fields.put("request_id", UUID.randomUUID().toString());
    fields.putAll(options.fields());
    Object input = fields.remove("input");
    fields.put(action, input == null ? Map.of() : Map.of("input", input));
    return new Call<>(
        ExecutionServiceGrpc.getControlMethod(),
        MessageFiller.<ControlRequest>request(ControlRequest.newBuilder(), fields),
        response -> new ExecutionStatus(response.getStatus()),
        Repeats.BY_CLIENT);
  }

  /**
   * Not repeated: where the first answer was lost, the id may be that of a new execution by now.
   */
  static Call<?, ?, Void> delete(String executionId) {
    return new Call<>(
        ExecutionServiceGrpc.getDeleteExecutionMethod(),
        MessageFiller.<DeleteExecutionRequest>request(
            DeleteExecutionRequest.newBuilder(), about(executionId)),
        response -> null,
        Repeats.NEVER);
  }

  static Call<?, ?, Page<Execution>> list(Map<String, ?> options) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("page_size", EXECUTION_PAGE);
    fields.putAll(options);
    return new Call<>(
        ExecutionServiceGrpc.getListExecutionsMethod(),
        MessageFiller.<ListExecutionsRequest>request(ListExecutionsRequest.newBuilder(), fields),
        response ->
            new Page<>(
                response.getExecutionsList().stream().map(Execution::new).toList(),
                response.getNextPageToken()),
        Repeats.BY_GRPC);
  }

  static Call<?, ?, Page<LogEntry>> listLogs(String executionId, Map<String, ?> options) {
    Map<String, Object> fields = about(executionId);
    fields.put("page_size", LOG_PAGE);
    fields.putAll(options);
    return new Call<>(
        ExecutionServiceGrpc.getListLogsMethod(),
        MessageFiller.<ListLogsRequest>request(ListLogsRequest.newBuilder(), fields),
        response ->
            new Page<>(
                response.getEntriesList().stream().map(LogEntry::new).toList(),
                response.getNextPageToken()),
        Repeats.BY_GRPC);
  }

  static StreamLogsRequest streamLogs(String executionId, Consumer<LogOptions> with) {
    LogOptions options = new LogOptions();
    with.accept(options);
    Map<String, Object> fields = about(executionId);
    fields.putAll(options.fields());
    return MessageFiller.request(StreamLogsRequest.newBuilder(), fields);
  }

  /** Returns the request whose stream stays nearly empty and ends with the execution. */
  static StreamLogsRequest awaitEnd(String executionId) {
    return streamLogs(
        executionId, options -> options.tail(1).minLevel(LogLevel.ERROR).follow(true));
  }

  static WatchExecutionRequest watch(String executionId, boolean includeTokens) {
    Map<String, Object> fields = about(executionId);
    fields.put("include_tokens", includeTokens);
    return MessageFiller.request(WatchExecutionRequest.newBuilder(), fields);
  }

  private static Map<String, Object> about(String executionId) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("execution_id", executionId);
    return fields;
  }
}
