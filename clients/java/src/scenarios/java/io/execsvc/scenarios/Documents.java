package io.execsvc.scenarios;

import io.execsvc.client.DefinitionException;
import io.execsvc.client.ExecsvcException;
import io.execsvc.client.Execution;
import io.execsvc.client.ExecutionStatus;
import io.execsvc.client.LogEntry;
import io.execsvc.client.Snapshot;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Results and errors of the client as documents that patterns are matched with. */
final class Documents {
  private static final int SHOWN = 20;

  private Documents() {}

  static Map<String, Object> of(Execution execution) {
    Map<String, Object> document = Json.of(execution.raw());
    document.put("output_text", Json.writeSorted(execution.output()));
    return document;
  }

  static Map<String, Object> of(ExecsvcException error) {
    Map<String, Object> document = new LinkedHashMap<>();
    String type = error.getClass().getSimpleName().replaceFirst("Exception$", "");
    document.put("type", error instanceof DefinitionException ? "DefinitionError" : type);
    document.put("code", error.code().name());
    document.put("reason", error.reason());
    document.put("message", error.description());
    document.put("metadata", error.metadata());
    document.put(
        "field_violations",
        error.fieldViolations().stream()
            .map(
                problem ->
                    Map.of(
                        "path", problem.path(),
                        "reason", problem.reason(),
                        "message", problem.message()))
            .toList());
    document.put(
        "retry_delay", error.retryDelay().map(delay -> delay.toNanos() / 1e9).orElse(null));
    document.put("execution_id", error.executionId());
    document.put("state", error.state());
    return document;
  }

  private static String finalState(ExecutionStatus status) {
    return status == null ? "" : status.raw().getState().name();
  }

  /** What was read of a log. */
  static final class Log {
    private final List<Object> shown = new ArrayList<>();
    private final Set<Long> sequences = new LinkedHashSet<>();
    private long count;
    private long first;
    private long last;
    private boolean gapless = true;

    void add(LogEntry entry) {
      gapless &= count == 0 || entry.sequence() == last + 1;
      first = count == 0 ? entry.sequence() : first;
      last = entry.sequence();
      sequences.add(last);
      count++;
      if (shown.size() < SHOWN) {
        shown.add(Json.of(entry.raw()));
      }
    }

    long count() {
      return count;
    }

    Map<String, Object> document() {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("count", count);
      document.put("gapless", gapless);
      document.put("entries", shown);
      return document;
    }

    Map<String, Object> document(Api.StreamEnd end) {
      Map<String, Object> document = document();
      document.put("first_sequence", first);
      document.put("last_sequence", end.lastSequence());
      document.put("sequences_unique", sequences.size() == count);
      document.put("final_state", finalState(end.finalStatus()));
      return document;
    }
  }

  /** What was seen of an execution. */
  static final class Watch {
    private final Set<Object> states = new LinkedHashSet<>();
    private final StringBuilder text = new StringBuilder();
    private long count;
    private double progress;
    private boolean neverFalls = true;

    void add(Snapshot snapshot) {
      states.add(snapshot.status().raw().getState().name());
      neverFalls &= snapshot.status().progress() >= progress;
      progress = snapshot.status().progress();
      snapshot.tokens().forEach(chunk -> text.append(chunk.text()));
      count++;
    }

    long count() {
      return count;
    }

    Map<String, Object> document(Api.StreamEnd end) {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("count", count);
      document.put("states", List.copyOf(states));
      document.put("progress_never_falls", neverFalls);
      document.put("text", text.toString());
      document.put("final_state", finalState(end.finalStatus()));
      return document;
    }
  }
}
