package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PublicNamesTest {
  private static final List<String> NAMES =
      List.of(
          "AbortedException",
          "AlreadyExistsException",
          "AsyncExecutionClient",
          "CancelledException",
          "ClientBuilder",
          "ControlOptions",
          "DeadlineExceededException",
          "Definition",
          "DefinitionException",
          "ExecsvcException",
          "ExecuteOptions",
          "Execution",
          "ExecutionClient",
          "ExecutionFailure",
          "ExecutionState",
          "ExecutionStatus",
          "ExecutionView",
          "FailedPreconditionException",
          "InternalException",
          "InvalidArgumentException",
          "ListLogsOptions",
          "ListOptions",
          "Listing",
          "LogEntry",
          "LogLevel",
          "LogOptions",
          "LogStream",
          "LogSubscription",
          "MessageView",
          "NodeRun",
          "NodeState",
          "NodeType",
          "NotFoundException",
          "OutOfRangeException",
          "Page",
          "PermissionDeniedException",
          "Problem",
          "Resource",
          "ResourceExhaustedException",
          "ResumingStream",
          "RetryPolicy",
          "ServerInfo",
          "Snapshot",
          "Subscription",
          "TokenChunk",
          "TokenUsage",
          "UnauthenticatedException",
          "UnavailableException",
          "UnimplementedException",
          "Validation",
          "Violation",
          "WatchStream",
          "Workflow");

  @Test
  void publicNamesAreTheseAndNoOthers() throws Exception {
    Path classes =
        Path.of(ExecutionClient.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    try (Stream<Path> files = Files.list(classes.resolve("io/execsvc/client"))) {
      List<String> found =
          files
              .map(file -> file.getFileName().toString().replace(".class", ""))
              .filter(name -> !name.equals("package-info"))
              .filter(PublicNamesTest::isPublic)
              .sorted()
              .toList();
      assertEquals(NAMES, found);
    }
  }

  private static boolean isPublic(String name) {
    try {
      return Modifier.isPublic(
          Class.forName("io.execsvc.client." + name, false, PublicNamesTest.class.getClassLoader())
              .getModifiers());
    } catch (ClassNotFoundException error) {
      throw new IllegalStateException(error);
    }
  }
}
