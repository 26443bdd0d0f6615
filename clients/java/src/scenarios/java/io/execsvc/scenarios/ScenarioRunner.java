package io.execsvc.scenarios;

import io.execsvc.client.ExecutionClient;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/** Carries out the scenarios that a lab serves, with both clients; prints a line for each run. */
public final class ScenarioRunner {
  private static final long LIMIT_SECONDS = 120;

  private static final Map<String, Function<ExecutionClient, Api>> MANNERS =
      Map.of("blocking", BlockingApi::new, "async", client -> new AsyncApi(client.async()));

  private static final ExecutorService THREADS =
      Executors.newCachedThreadPool(
          work -> {
            Thread thread = new Thread(work, "scenario");
            thread.setDaemon(true);
            return thread;
          });

  private ScenarioRunner() {}

  /**
   * Runs them.
   *
   * @param arguments none
   */
  public static void main(String[] arguments) throws Exception {
    Lab lab = new Lab(System.getenv("EXECSVC_LAB"));
    String only = System.getenv().getOrDefault("EXECSVC_ONLY", "");
    Set<String> wanted = Set.of(only.split(","));
    Map<String, Object> served = Json.object(lab.get("/scenarios"));
    boolean ok = true;
    for (Object item : Json.list(served.get("scenarios"))) {
      Map<String, Object> scenario = Json.object(item);
      if (!only.isEmpty() && !wanted.contains(scenario.get("name"))) {
        continue;
      }
      // Side by side: most of the time goes into waiting for servers.
      List<CompletableFuture<Boolean>> runs =
          List.of("blocking", "async").stream()
              .map(
                  variant ->
                      CompletableFuture.supplyAsync(
                          () -> run(lab, served, scenario, variant), THREADS))
              .toList();
      for (CompletableFuture<Boolean> run : runs) {
        ok &= run.join();
      }
    }
    System.exit(ok ? 0 : 1);
  }

  private static boolean run(
      Lab lab, Map<String, Object> served, Map<String, Object> scenario, String variant) {
    String problem;
    int step;
    try (Scenario running = new Scenario(lab, served, MANNERS.get(variant), THREADS)) {
      Future<String> result = THREADS.submit(() -> running.run(Json.list(scenario.get("steps"))));
      try {
        problem = result.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      } catch (TimeoutException error) {
        result.cancel(true);
        problem = "not done after " + LIMIT_SECONDS + " seconds";
      } catch (ExecutionException error) {
        error.getCause().printStackTrace();
        problem = String.valueOf(error.getCause());
      } catch (InterruptedException error) {
        throw new IllegalStateException(error);
      }
      step = running.at();
    }
    System.out.println(Json.write(Scenario.report(scenario.get("name"), variant, step, problem)));
    return problem == null;
  }
}
