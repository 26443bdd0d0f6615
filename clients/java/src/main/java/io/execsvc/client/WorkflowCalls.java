package io.execsvc.client;

import io.execsvc.v1.CreateWorkflowRequest;
import io.execsvc.v1.GetServerInfoRequest;
import io.execsvc.v1.GetWorkflowRequest;
import io.execsvc.v1.ListNodeTypesRequest;
import io.execsvc.v1.ListWorkflowsRequest;
import io.execsvc.v1.ServerServiceGrpc;
import io.execsvc.v1.ValidateWorkflowRequest;
import io.execsvc.v1.WorkflowServiceGrpc;
import java.util.List;
import java.util.Map;

/** The calls about workflows and the server as data; see {@link ExecutionCalls}. */
final class WorkflowCalls {
  private WorkflowCalls() {}

  static Call<?, ?, Validation> validate(Definition definition) {
    return new Call<>(
        WorkflowServiceGrpc.getValidateWorkflowMethod(),
        ValidateWorkflowRequest.newBuilder().setDefinition(definition.raw()).build(),
        Validation::new,
        Repeats.BY_GRPC);
  }

  /** Safe to repeat: a repeat answers the version there is. */
  static Call<?, ?, Workflow> create(String workflowId, Definition definition) {
    Map<String, Object> fields = Map.of("workflow_id", workflowId, "definition", definition.raw());
    return new Call<>(
        WorkflowServiceGrpc.getCreateWorkflowMethod(),
        MessageFiller.<CreateWorkflowRequest>request(CreateWorkflowRequest.newBuilder(), fields),
        response -> new Workflow(response.getWorkflow(), response.getCreated()),
        Repeats.BY_CLIENT);
  }

  static Call<?, ?, Workflow> get(String workflowId, String version) {
    Map<String, Object> fields = Map.of("workflow_id", workflowId, "version", version);
    return new Call<>(
        WorkflowServiceGrpc.getGetWorkflowMethod(),
        MessageFiller.<GetWorkflowRequest>request(GetWorkflowRequest.newBuilder(), fields),
        response -> new Workflow(response.getWorkflow(), false),
        Repeats.BY_GRPC);
  }

  static Call<?, ?, Page<Workflow>> list(String workflowId, int pageSize, String pageToken) {
    Map<String, Object> fields =
        Map.of("workflow_id", workflowId, "page_size", pageSize, "page_token", pageToken);
    return new Call<>(
        WorkflowServiceGrpc.getListWorkflowsMethod(),
        MessageFiller.<ListWorkflowsRequest>request(ListWorkflowsRequest.newBuilder(), fields),
        response ->
            new Page<>(
                response.getWorkflowsList().stream().map(one -> new Workflow(one, false)).toList(),
                response.getNextPageToken()),
        Repeats.BY_GRPC);
  }

  static Call<?, ?, List<NodeType>> nodeTypes() {
    return new Call<>(
        WorkflowServiceGrpc.getListNodeTypesMethod(),
        ListNodeTypesRequest.getDefaultInstance(),
        response -> response.getNodeTypesList().stream().map(NodeType::new).toList(),
        Repeats.BY_GRPC);
  }

  static Call<?, ?, ServerInfo> serverInfo() {
    return new Call<>(
        ServerServiceGrpc.getGetServerInfoMethod(),
        GetServerInfoRequest.getDefaultInstance(),
        ServerInfo::new,
        Repeats.BY_GRPC);
  }
}
