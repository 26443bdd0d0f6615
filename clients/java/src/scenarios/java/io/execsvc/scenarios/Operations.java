package io.execsvc.scenarios;

import io.execsvc.client.ControlOptions;
import io.execsvc.client.Definition;
import io.execsvc.client.ExecuteOptions;
import io.execsvc.client.Execution;
import io.execsvc.client.ExecutionState;
import io.execsvc.client.ExecutionView;
import io.execsvc.client.LogEntry;
import io.execsvc.client.LogLevel;
import io.execsvc.client.Page;
import io.execsvc.client.Validation;
import io.execsvc.client.Workflow;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The operations of steps that are calls of a client. */
final class Operations {
  private final Map<String, Object> definitions;

  Operations(Map<String, Object> definitions) {
    this.definitions = definitions;
  }

  /** Carries one out and returns its result. */
  Map<String, Object> run(String name, Map<String, Object> with, Api api, Invocation invocation) {
    String id = text(with, "execution_id");
    return switch (name) {
      case "execute" -> execute(with, api);
      case "status" -> Json.of(api.status(id).raw());
      case "get" -> {
        boolean basic = "basic".equals(with.get("view"));
        yield Documents.of(api.get(id, basic ? ExecutionView.BASIC : ExecutionView.FULL));
      }
      case "wait" -> Documents.of(api.waitFor(id, span(with.get("timeout")), invocation));
      case "logs" -> logs(id, with, api, invocation);
      case "list_logs" -> listLogs(id, with, api);
      case "watch" -> watch(id, with, api, invocation);
      case "pause", "resume", "stop", "retry" ->
          Json.of(api.control(name, id, control(with)).raw());
      case "list" -> list(with, api);
      case "list_page" -> listPage(with, api);
      case "delete" -> {
        api.delete(id);
        yield Map.of();
      }
      case "validate" -> {
        Validation found = api.validate(definition(with.get("definition")));
        yield Json.of(found.raw());
      }
      case "create_workflow" -> {
        Workflow stored =
            api.createWorkflow(text(with, "workflow_id"), definition(with.get("definition")));
        Map<String, Object> document = Json.of(stored.raw());
        document.put("created", stored.created());
        yield document;
      }
      case "get_workflow" ->
          Json.of(api.getWorkflow(text(with, "workflow_id"), text(with, "version")).raw());
      case "list_workflows" -> {
        List<Object> versions = new ArrayList<>();
        api.listWorkflows(text(with, "workflow_id")).forEach(one -> versions.add(one.version()));
        yield Map.of("count", (long) versions.size(), "versions", versions);
      }
      case "node_types" ->
          Map.of("names", api.nodeTypes().stream().map(type -> (Object) type.name()).toList());
      case "server_info" -> Json.of(api.serverInfo().raw());
      default -> throw new IllegalArgumentException("no operation " + name);
    };
  }

  private Map<String, Object> execute(Map<String, Object> with, Api api) {
    Consumer<ExecuteOptions> options =
        set -> {
          for (String field :
              List.of(
                  "execution_id",
                  "workflow_id",
                  "workflow_version",
                  "labels",
                  "priority",
                  "concurrency_key",
                  "validate_only")) {
            if (with.containsKey(field)) {
              set.set(field, with.get(field));
            }
          }
          Object timeout = with.get("timeout");
          if (timeout instanceof String span) {
            set.timeout(span);
          } else if (timeout != null) {
            set.timeout(span(timeout));
          }
          if (with.get("retry") != null) {
            set.retry(Json.object(with.get("retry")));
          }
        };
    Map<String, Object> input =
        with.get("input") == null ? Map.of() : Json.object(with.get("input"));
    if (with.get("definition") == null) {
      return Json.of(api.executeStored(text(with, "workflow_id"), input, options).raw());
    }
    return Json.of(api.execute(definition(with.get("definition")), input, options).raw());
  }

  private Map<String, Object> logs(
      String id, Map<String, Object> with, Api api, Invocation invocation) {
    Documents.Log log = new Documents.Log();
    long enough = number(with, "stop_after", Long.MAX_VALUE);
    Api.StreamEnd end =
        api.logs(
            id,
            options -> {
              options.follow(Boolean.TRUE.equals(with.get("follow")));
              options.afterSequence(number(with, "after_sequence", 0));
              options.tail((int) number(with, "tail", 0));
              options.minLevel(level(with)).nodeId(text(with, "node_id")).uid(text(with, "uid"));
            },
            entry -> {
              log.add(entry);
              invocation.count();
              return log.count() < enough;
            },
            invocation);
    return log.document(end);
  }

  private Map<String, Object> listLogs(String id, Map<String, Object> with, Api api) {
    Documents.Log log = new Documents.Log();
    Iterable<LogEntry> entries =
        api.listLogs(
            id,
            options -> {
              options.minLevel(level(with)).nodeId(text(with, "node_id"));
              if (with.containsKey("page_size")) {
                options.pageSize((int) number(with, "page_size", 0));
              }
            });
    entries.forEach(log::add);
    return log.document();
  }

  private Map<String, Object> watch(
      String id, Map<String, Object> with, Api api, Invocation invocation) {
    Documents.Watch watch = new Documents.Watch();
    long enough = number(with, "stop_after", Long.MAX_VALUE);
    Api.StreamEnd end =
        api.watch(
            id,
            Boolean.TRUE.equals(with.get("include_tokens")),
            snapshot -> {
              watch.add(snapshot);
              invocation.count();
              return watch.count() < enough;
            },
            invocation);
    return watch.document(end);
  }

  private Map<String, Object> list(Map<String, Object> with, Api api) {
    long limit = number(with, "limit", Long.MAX_VALUE);
    List<Object> ids = new ArrayList<>();
    for (Execution execution : api.list(options -> copy(with, options::set))) {
      ids.add(execution.executionId());
      if (ids.size() >= limit) {
        break;
      }
    }
    return Map.of("count", (long) ids.size(), "ids", ids);
  }

  private Map<String, Object> listPage(Map<String, Object> with, Api api) {
    Page<Execution> page = api.listPage(options -> copy(with, options::set));
    return Map.of(
        "ids", page.items().stream().map(one -> (Object) one.executionId()).toList(),
        "next_page_token", page.nextToken());
  }

  private static void copy(
      Map<String, Object> with, java.util.function.BiConsumer<String, Object> set) {
    for (String field : List.of("filter", "order_by", "page_size", "page_token")) {
      if (with.containsKey(field)) {
        set.accept(field, with.get(field));
      }
    }
  }

  private static Consumer<ControlOptions> control(Map<String, Object> with) {
    Map<String, Object> fields = new LinkedHashMap<>(with);
    fields.remove("execution_id");
    Object state = fields.remove("expected_state");
    return options -> {
      fields.forEach(options::set);
      if (state != null) {
        options.expectedState(ExecutionState.valueOf((String) state));
      }
    };
  }

  private Definition definition(Object given) {
    if (given instanceof String text) {
      Object named = definitions.get(text);
      return named == null ? Definition.parse(text) : Definition.of(Json.object(named));
    }
    return Definition.of(Json.object(given));
  }

  private static LogLevel level(Map<String, Object> with) {
    String name = text(with, "min_level");
    return name.isEmpty() ? LogLevel.UNSPECIFIED : LogLevel.valueOf(name);
  }

  private static String text(Map<String, Object> with, String key) {
    return with.get(key) == null ? "" : (String) with.get(key);
  }

  private static long number(Map<String, Object> with, String key, long standard) {
    return with.get(key) == null ? standard : ((Number) with.get(key)).longValue();
  }

  /** Returns seconds as a span; null where there are none. */
  static Duration span(Object seconds) {
    return seconds == null
        ? null
        : Duration.ofNanos(new BigDecimal(seconds.toString()).movePointRight(9).longValue());
  }
}
