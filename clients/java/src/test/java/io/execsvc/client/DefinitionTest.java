package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.execsvc.v1.Node;
import io.execsvc.v1.OnError;
import io.execsvc.v1.WorkflowDefinition;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DefinitionTest {
  private static final String JSON =
      """
      {"nodes": [
        {"id": "ask", "type": "llm", "name": "Ask", "timeout": "90s",
         "config": {"model": "echo:", "prompt": "{{input.text}}", "parameters": {"n": 3}},
         "retry": {"maxAttempts": 4, "initial_backoff": 0.5},
         "on_error": {"action": "continue", "fallback": null}},
        {"id": "own", "type": "acme.send", "config": {"to": ["a", 1, null]}},
        {"id": "out", "type": "output", "config": {}}],
       "edges": [{"source": "ask", "target": "own", "branch": "true"}]}
      """;

  private static List<String> problems(String json) {
    DefinitionException error =
        assertThrows(DefinitionException.class, () -> Definition.parse(json));
    assertEquals("INVALID_REQUEST", error.reason());
    return error.fieldViolations().stream()
        .map(problem -> problem.path() + " " + problem.reason())
        .toList();
  }

  private static List<String> problemsOfNode(String node) {
    return problems("{\"nodes\": [" + node + "]}");
  }

  @Test
  void jsonIsReadWithAllThatANodeCanHave() {
    WorkflowDefinition read = Definition.parse(JSON).raw();
    Node ask = read.getNodes(0);
    assertEquals("Ask", ask.getName());
    assertEquals(90, ask.getTimeout().getSeconds());
    assertEquals("echo:", ask.getLlm().getModel());
    assertEquals(4, ask.getRetry().getMaxAttempts());
    assertEquals(500_000_000, ask.getRetry().getInitialBackoff().getNanos());
    assertEquals(OnError.Action.ACTION_CONTINUE, ask.getOnError().getAction());
    assertEquals("acme.send", read.getNodes(1).getCustom().getType());
    assertEquals(
        Map.of("to", Arrays.asList("a", 1L, null)),
        Values.toMap(read.getNodes(1).getCustom().getConfig()));
    assertTrue(read.getNodes(2).hasOutput());
    assertEquals("true", read.getEdges(0).getBranch());
  }

  @Test
  void reactFlowExportMeansTheSame() {
    String exported =
        """
        {"viewport": {"x": 0, "y": 0, "zoom": 1}, "nodes": [
          {"id": "a", "type": "condition", "position": {"x": 1, "y": 2}, "measured": {},
           "data": {"label": "Big?", "expression": "input.n > 1", "timeout": "2s"}},
          {"id": "o", "type": "output", "data": {}, "selected": true}],
         "edges": [{"id": "e1", "type": "smoothstep", "source": "a", "target": "o",
                    "sourceHandle": "true", "animated": false}]}
        """;
    String plain =
        """
        {"nodes": [
          {"id": "a", "name": "Big?", "timeout": "2s", "type": "condition",
           "config": {"expression": "input.n > 1"}},
          {"id": "o", "type": "output"}],
         "edges": [{"source": "a", "target": "o", "branch": "true"}]}
        """;
    assertEquals(Definition.parse(plain), Definition.parse(exported));
  }

  @Test
  void mapAndFileMeanTheSameAsText(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("flow.json"), "\uFEFF" + JSON);
    assertEquals(Definition.parse(JSON), Definition.read(file));
    Map<String, Object> map =
        Map.of("nodes", List.of(Map.of("id", "o", "type", "output")), "edges", List.of());
    assertEquals(
        Definition.parse("{\"nodes\": [{\"id\": \"o\", \"type\": \"output\"}]}"),
        Definition.of(map));
    assertEquals(Definition.parse(JSON).raw(), Definition.of(Definition.parse(JSON).raw()).raw());
  }

  @Test
  void everyProblemIsReportedAtOnce() {
    String json =
        """
        {"nodez": 1, "nodes": [{"id": "a"},
          {"id": "b", "type": "llm", "config": {"model": 1, "promt": "x"}}, 7],
         "edges": {}}
        """;
    assertEquals(
        Set.of(
            "definition.nodez UNKNOWN_FIELD",
            "definition.nodes[0].type REQUIRED",
            "definition.nodes[1].config.model WRONG_TYPE",
            "definition.nodes[1].config.promt UNKNOWN_FIELD",
            "definition.nodes[2] WRONG_TYPE",
            "definition.edges WRONG_TYPE"),
        Set.copyOf(problems(json)));
  }

  @Test
  void twoNamesForOneThingConflict() {
    assertEquals(
        List.of("definition.nodes[0].data CONFLICT"),
        problemsOfNode("{\"id\": \"o\", \"type\": \"output\", \"config\": {}, \"data\": {}}"));
    assertEquals(
        List.of("definition.edges[0].sourceHandle CONFLICT"),
        problems("{\"edges\": [{\"branch\": \"a\", \"sourceHandle\": \"b\"}]}"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"timeout\": \"soon\" | definition.nodes[0].timeout INVALID_DURATION",
        "\"timeout\": true | definition.nodes[0].timeout INVALID_DURATION",
        "\"retry\": {\"max_attempts\": 1.5} | definition.nodes[0].retry.max_attempts OUT_OF_RANGE",
        "\"retry\": {\"max_attempts\": 3000000000}"
            + " | definition.nodes[0].retry.max_attempts OUT_OF_RANGE",
        "\"retry\": {\"multiplier\": 1e999} | definition.nodes[0].retry.multiplier NOT_FINITE",
        "\"retry\": [] | definition.nodes[0].retry WRONG_TYPE",
        "\"on_error\": {\"action\": \"hope\"} | definition.nodes[0].on_error.action UNKNOWN_VALUE",
        "\"name\": 7 | definition.nodes[0].name WRONG_TYPE",
        "\"name\": \"\\ud800\" | definition.nodes[0].name INVALID_UNICODE",
        "\"onEror\": {} | definition.nodes[0].onEror UNKNOWN_FIELD",
      })
  void settingThatCannotBeSentIsReportedWithItsPath(String setting, String problem) {
    assertEquals(
        List.of(problem), problemsOfNode("{\"id\": \"o\", \"type\": \"output\", " + setting + "}"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"nodes\": [}         | definition:1:13 INVALID_JSON",
        "{\"nodes\": []} x      | definition:1:15 INVALID_JSON",
        "{\"nodes\": NaN}       | definition:1:11 INVALID_JSON",
        "{\"nodes\": 01}        | definition:1:11 INVALID_JSON",
        "[]                     | definition WRONG_TYPE",
        "triage.json            | definition:1:1 INVALID_JSON",
      })
  void textThatIsNoDefinitionIsReportedWithItsPlace(String text, String problem) {
    String found = problems(text).get(0);
    // Whether the column is that of the character or the next one is the parser's business.
    assertEquals(problem.replaceFirst(":\\d+ ", " "), found.replaceFirst(":\\d+ ", " "));
  }

  @Test
  void emptyTextAndDeepTextAreProblems() {
    assertTrue(problems("").get(0).endsWith(" INVALID_JSON"));
    assertEquals(List.of("definition TOO_DEEP"), problems("[".repeat(100_000)));
    assertTrue(problems("9".repeat(5000)).get(0).endsWith(" INVALID_JSON"));
  }

  @Test
  void nameOfAFileIsToldFromJson() {
    DefinitionException error =
        assertThrows(DefinitionException.class, () -> Definition.parse("triage.json"));
    assertTrue(error.getMessage().contains("use Definition.read"), error.getMessage());
  }

  @Test
  void fileThatIsNotUtf8IsReportedWithItsLine(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("flow.json");
    Files.write(file, new byte[] {'{', '\n', '"', (byte) 0xe4, '"'});
    DefinitionException error =
        assertThrows(DefinitionException.class, () -> Definition.read(file));
    assertEquals(file + ":2", error.fieldViolations().get(0).path());
    assertEquals("INVALID_UNICODE", error.fieldViolations().get(0).reason());
  }

  @Test
  void missingFileIsAnErrorOfTheFile(@TempDir Path folder) {
    Path missing = folder.resolve("no.json");
    assertThrows(UncheckedIOException.class, () -> Definition.read(missing));
  }
}
