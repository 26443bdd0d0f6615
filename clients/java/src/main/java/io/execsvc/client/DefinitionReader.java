package io.execsvc.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.execsvc.v1.CustomNode;
import io.execsvc.v1.Edge;
import io.execsvc.v1.Node;
import io.execsvc.v1.WorkflowDefinition;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Turns definitions in their JSON form, React Flow exports included, into protobuf. */
final class DefinitionReader {
  // What React Flow writes for its own use. Anything else unknown is an error: typos show.
  private static final Set<String> EDITOR_ROOT = Set.of("viewport");
  private static final Set<String> EDITOR_NODE =
      words(
          "position positionAbsolute width height measured initialWidth initialHeight selected"
              + " selectable dragging draggable dragHandle connectable deletable focusable hidden"
              + " resizing style className sourcePosition targetPosition parentId parentNode extent"
              + " expandParent zIndex ariaLabel ariaRole domAttributes handles origin internals");
  private static final Set<String> EDITOR_EDGE =
      words(
          "id type data label labelStyle labelShowBg labelBgStyle labelBgPadding"
              + " labelBgBorderRadius targetHandle animated selected selectable deletable focusable"
              + " reconnectable updatable hidden style className markerStart markerEnd zIndex"
              + " interactionWidth pathOptions ariaLabel ariaRole domAttributes");

  /** Fields of a node that hold the config of a built-in type, by the type's name. */
  private static final Map<String, FieldDescriptor> CONFIGS = new TreeMap<>();

  /** Fields of a node beside its config, by both spellings. */
  private static final Map<String, FieldDescriptor> COMMON = new LinkedHashMap<>();

  static {
    MessageFiller.namesOf(Node.getDescriptor())
        .forEach(
            (name, field) -> {
              if (field.getContainingOneof() == null) {
                COMMON.put(name, field);
              } else if (!name.equals("custom")) {
                CONFIGS.put(field.getName(), field);
              }
            });
  }

  private static final String ROOT = "definition";

  private final Problems problems = new Problems();

  private DefinitionReader() {}

  static WorkflowDefinition read(Path file) {
    DefinitionReader reader = new DefinitionReader();
    String text = reader.decode(file);
    return reader.definition(reader.json(text, file.toString(), ""));
  }

  static WorkflowDefinition parse(String text) {
    String start = text.stripLeading();
    boolean likeJson = start.isEmpty() || start.startsWith("{");
    String hint = likeJson ? "" : "; to read a file, use Definition.read";
    DefinitionReader reader = new DefinitionReader();
    return reader.definition(reader.json(text, ROOT, hint));
  }

  static WorkflowDefinition of(Map<String, ?> source) {
    return new DefinitionReader().definition(source);
  }

  private String decode(Path file) {
    byte[] data;
    try {
      data = Files.readAllBytes(file);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    ByteBuffer bytes = ByteBuffer.wrap(data);
    CharBuffer text = CharBuffer.allocate(data.length);
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    CoderResult result = decoder.decode(bytes, text, true);
    if (result.isError()) {
      long line = 1;
      for (int at = 0; at < bytes.position(); at++) {
        line += data[at] == '\n' ? 1 : 0;
      }
      String message = "byte " + bytes.position() + " is not UTF-8; save the file as UTF-8";
      problems.add(file + ":" + line, "INVALID_UNICODE", message);
    }
    String decoded = text.flip().toString();
    return decoded.startsWith("\uFEFF") ? decoded.substring(1) : decoded;
  }

  private Object json(String text, String name, String hint) {
    return problems.any() ? null : JsonText.parse(text, name, hint, problems);
  }

  private WorkflowDefinition definition(Object source) {
    WorkflowDefinition.Builder target = WorkflowDefinition.newBuilder();
    if (!problems.any()) {
      fill(target, source);
    }
    problems.throwInvalidDefinition();
    return target.build();
  }

  private void fill(WorkflowDefinition.Builder target, Object source) {
    if (!(source instanceof Map<?, ?> root)) {
      problems.wrongType(ROOT, "an object with nodes and edges", source);
      return;
    }
    MessageFiller.refuseUnknown(root, ROOT, List.of("nodes", "edges"), EDITOR_ROOT, problems);
    int index = 0;
    for (Object node : items(root, "nodes")) {
      fillNode(target.addNodesBuilder(), node, ROOT + ".nodes[" + index++ + "]");
    }
    index = 0;
    for (Object edge : items(root, "edges")) {
      fillEdge(target.addEdgesBuilder(), edge, ROOT + ".edges[" + index++ + "]");
    }
  }

  private Collection<?> items(Map<?, ?> root, String key) {
    Object value = root.get(key);
    if (value instanceof Collection<?> items) {
      return items;
    }
    if (value != null) {
      problems.wrongType(Problems.member(ROOT, key), "a list", value);
    }
    return List.of();
  }

  private void fillNode(Node.Builder node, Object item, String path) {
    if (!(item instanceof Map<?, ?> source)) {
      problems.wrongType(path, "an object with id, type and config", item);
      return;
    }
    List<String> known = new ArrayList<>(COMMON.keySet());
    known.addAll(List.of("type", "config", "data"));
    MessageFiller.refuseUnknown(source, path, known, EDITOR_NODE, problems);
    String type = source.get("type") instanceof String text ? text : "";
    FieldDescriptor field = CONFIGS.get(type);
    if (type.isEmpty()) {
      String kinds = String.join(", ", CONFIGS.keySet());
      problems.add(path + ".type", "REQUIRED", "is required: one of " + kinds + ", or a plug-in's");
    }
    if (source.get("config") != null && source.get("data") != null) {
      problems.add(path + ".data", "CONFLICT", "config and data mean the same; give one of them");
    }
    boolean edited = source.get("config") == null && source.get("data") != null;
    String key = edited ? "data" : "config";
    Object config = source.get(key) == null ? Map.of() : source.get(key);
    Map<String, Object> settings = new LinkedHashMap<>();
    for (String name : COMMON.keySet()) {
      if (source.get(name) != null) {
        settings.put(name, source.get(name));
      }
    }
    if (edited && config instanceof Map<?, ?> data) {
      config = lift(data, settings, field);
    }
    settings.forEach(
        (name, value) ->
            MessageFiller.fillField(
                node, COMMON.get(name), value, Problems.member(path, name), problems));
    fillConfig(node, type, field, config, path, key);
  }

  private void fillConfig(
      Node.Builder node,
      String type,
      FieldDescriptor field,
      Object config,
      String path,
      String key) {
    if (!(config instanceof Map<?, ?> fields)) {
      problems.wrongType(path + "." + key, "an object", config);
    } else if (field != null) {
      Message.Builder target = node.newBuilderForField(field);
      MessageFiller.fill(target, fields, path + "." + key, problems);
      node.setField(field, target.build());
    } else if (!type.isEmpty()) {
      // Whether there is such a plug-in, and what its config may be, only the server knows.
      CustomNode.Builder target = CustomNode.newBuilder();
      MessageFiller.fill(target, Map.of("type", type, "config", fields), path, problems);
      node.setCustom(target);
    }
  }

  /** Takes the node's own settings out of an editor's data, where there is no other place. */
  private static Map<Object, Object> lift(
      Map<?, ?> data, Map<String, Object> settings, FieldDescriptor field) {
    Set<String> own =
        field == null ? Set.of() : MessageFiller.namesOf(field.getMessageType()).keySet();
    Map<Object, Object> config = new LinkedHashMap<>(data);
    for (Object key : data.keySet()) {
      String name = "label".equals(key) ? "name" : String.valueOf(key);
      if (own.contains(key) || "id".equals(key) || !COMMON.containsKey(name)) {
        continue;
      }
      Object value = config.remove(key);
      if (value != null) {
        settings.putIfAbsent(name, value);
      }
    }
    return config;
  }

  private void fillEdge(Edge.Builder edge, Object item, String path) {
    if (!(item instanceof Map<?, ?> source)) {
      problems.wrongType(path, "an object with source and target", item);
      return;
    }
    Map<String, FieldDescriptor> fields =
        new LinkedHashMap<>(MessageFiller.namesOf(Edge.getDescriptor()));
    // After "branch", which it stands for.
    fields.put("sourceHandle", fields.get("branch"));
    MessageFiller.refuseUnknown(source, path, fields.keySet(), EDITOR_EDGE, problems);
    fields.forEach(
        (name, field) -> {
          Object value = source.get(name);
          if (value == null) {
            return;
          }
          String place = Problems.member(path, name);
          if (!name.equals("sourceHandle") || edge.getBranch().isEmpty()) {
            MessageFiller.fillField(edge, field, value, place, problems);
          } else if (!value.equals(edge.getBranch())) {
            problems.add(
                place, "CONFLICT", "branch and sourceHandle mean the same; give one of them");
          }
        });
  }

  private static Set<String> words(String text) {
    return Set.of(text.split(" "));
  }
}
