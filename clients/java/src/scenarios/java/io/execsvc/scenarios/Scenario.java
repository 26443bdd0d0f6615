package io.execsvc.scenarios;

import io.execsvc.client.ClientBuilder;
import io.execsvc.client.ExecsvcException;
import io.execsvc.client.ExecutionClient;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Function;

/** One run of a scenario: its variables, its clients, and what runs in the background. */
final class Scenario implements AutoCloseable {
  private static final Set<String> BESIDE =
      Set.of("as", "expect", "error", "client", "background", "repeat", "parallel");

  /** Something that runs in the background. */
  private record Background(Invocation invocation, Future<Object> result) {}

  private final Lab lab;
  private final Operations operations;
  private final Function<ExecutionClient, Api> manner;
  private final ExecutorService threads;
  private final Variables variables = new Variables();
  private final Map<String, ExecutionClient> clients = new ConcurrentHashMap<>();
  private final Map<String, Background> backgrounds = new ConcurrentHashMap<>();
  private int at;

  Scenario(
      Lab lab,
      Map<String, Object> served,
      Function<ExecutionClient, Api> manner,
      ExecutorService threads) {
    this.lab = lab;
    this.operations = new Operations(Json.object(served.get("definitions")));
    this.manner = manner;
    this.threads = threads;
    clients.put("", ExecutionClient.connect((String) served.get("target")));
  }

  /** Returns the number of the step that was carried out last. */
  int at() {
    return at;
  }

  /** Carries out all steps; returns what is wrong, or null. */
  String run(List<Object> steps) throws Exception {
    for (at = 0; at < steps.size(); at++) {
      String problem = step(Json.object(steps.get(at)));
      if (problem != null) {
        return problem;
      }
    }
    at = steps.size() - 1;
    return null;
  }

  private String step(Map<String, Object> step) throws Exception {
    String name =
        step.keySet().stream().filter(key -> !BESIDE.contains(key)).findFirst().orElseThrow();
    Object result;
    try {
      result = carryOut(name, step);
    } catch (ExecsvcException error) {
      Map<String, Object> document = Documents.of(error);
      if (!step.containsKey("error")) {
        return "failed: " + Json.write(document);
      }
      keep(step, document);
      return Patterns.mismatch(variables.fill(step.get("error"), 0), document, "error");
    }
    if (step.containsKey("error")) {
      return "succeeded, but should have failed, with " + Json.write(result);
    }
    keep(step, result);
    return step.containsKey("expect")
        ? Patterns.mismatch(variables.fill(step.get("expect"), 0), result, "")
        : null;
  }

  private void keep(Map<String, Object> step, Object result) {
    if (step.get("as") instanceof String name) {
      variables.keep(name, result);
    }
  }

  private Object carryOut(String name, Map<String, Object> step) throws Exception {
    if (step.get("background") instanceof String background) {
      begin(background, name, step);
      return Map.of();
    }
    if (step.get("parallel") instanceof Number times) {
      return atOnce(name, step, times.intValue());
    }
    int times = step.get("repeat") instanceof Number repeat ? repeat.intValue() : 1;
    Object result = Map.of();
    for (int i = 0; i < times; i++) {
      result = once(name, step, i, new Invocation());
    }
    return result;
  }

  private void begin(String background, String name, Map<String, Object> step) throws Exception {
    CompletableFuture<Invocation> begun = new CompletableFuture<>();
    Callable<Object> work =
        () -> {
          Invocation invocation = new Invocation();
          begun.complete(invocation);
          try {
            return once(name, step, 0, invocation);
          } finally {
            invocation.end();
          }
        };
    Future<Object> result = threads.submit(work);
    backgrounds.put(background, new Background(begun.get(), result));
  }

  private Map<String, Object> atOnce(String name, Map<String, Object> step, int times)
      throws Exception {
    List<Future<Object>> all = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      int number = i;
      all.add(threads.submit(() -> once(name, step, number, new Invocation())));
    }
    List<Object> results = new ArrayList<>();
    List<Object> failures = new ArrayList<>();
    for (Future<Object> one : all) {
      try {
        results.add(one.get());
      } catch (ExecutionException error) {
        if (!(error.getCause() instanceof ExecsvcException failure)) {
          throw error;
        }
        failures.add(Documents.of(failure));
      }
    }
    return Map.of("results", results, "failures", failures);
  }

  private Object once(String name, Map<String, Object> step, long i, Invocation invocation)
      throws Exception {
    Map<String, Object> with = Json.object(variables.fill(step.get(name), i));
    with = with == null ? Map.of() : with;
    switch (name) {
      case "connect":
        clients.put((String) with.get("as"), connect(with));
        return Map.of();
      case "lab":
        return lab.post((String) with.get("path"), with.get("body"));
      case "until":
        background(with).invocation.awaitCount(((Number) with.get("entries")).longValue());
        return Map.of();
      case "join":
        return joined(background(with));
      case "cancel":
        return cancelled(background(with));
      default:
        String client = step.get("client") instanceof String named ? named : "";
        return operations.run(name, with, manner.apply(clients.get(client)), invocation);
    }
  }

  private Background background(Map<String, Object> with) {
    return backgrounds.get((String) with.get("background"));
  }

  private static Object joined(Background background) throws Exception {
    try {
      return background.result.get();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw error;
    }
  }

  private static Map<String, Object> cancelled(Background background) throws Exception {
    background.invocation.cancel();
    try {
      joined(background);
    } catch (ExecsvcException | CancellationException expected) {
      return Map.of();
    }
    return Map.of();
  }

  private static ExecutionClient connect(Map<String, Object> with) {
    ClientBuilder builder = ExecutionClient.builder().target((String) with.get("target"));
    if (with.get("call_timeout") != null) {
      builder.callTimeout(Operations.span(with.get("call_timeout")));
    }
    if (with.get("reconnect_timeout") != null) {
      builder.reconnectTimeout(Operations.span(with.get("reconnect_timeout")));
    }
    if (with.get("token") instanceof String token) {
      builder.token(token);
    }
    if (with.get("ca") instanceof String pem) {
      builder.tls(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
    }
    if (with.get("server_name") instanceof String host) {
      builder.channel(channel -> channel.overrideAuthority(host));
    }
    return builder.build();
  }

  @Override
  public void close() {
    clients.values().forEach(ExecutionClient::close);
  }

  /** Returns the line that reports a run. */
  static Map<String, Object> report(Object name, String variant, int step, String problem) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("scenario", name);
    line.put("variant", variant);
    line.put("ok", problem == null);
    if (problem != null) {
      line.put("step", step);
      line.put("problem", problem);
    }
    return line;
  }
}
