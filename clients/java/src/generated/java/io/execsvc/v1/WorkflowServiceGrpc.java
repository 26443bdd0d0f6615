package io.execsvc.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Checks workflows, says what they may be made of, and stores them under names.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class WorkflowServiceGrpc {

  private WorkflowServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "execsvc.v1.WorkflowService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ValidateWorkflowRequest,
      io.execsvc.v1.ValidateWorkflowResponse> getValidateWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidateWorkflow",
      requestType = io.execsvc.v1.ValidateWorkflowRequest.class,
      responseType = io.execsvc.v1.ValidateWorkflowResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ValidateWorkflowRequest,
      io.execsvc.v1.ValidateWorkflowResponse> getValidateWorkflowMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ValidateWorkflowRequest, io.execsvc.v1.ValidateWorkflowResponse> getValidateWorkflowMethod;
    if ((getValidateWorkflowMethod = WorkflowServiceGrpc.getValidateWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getValidateWorkflowMethod = WorkflowServiceGrpc.getValidateWorkflowMethod) == null) {
          WorkflowServiceGrpc.getValidateWorkflowMethod = getValidateWorkflowMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ValidateWorkflowRequest, io.execsvc.v1.ValidateWorkflowResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidateWorkflow"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ValidateWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ValidateWorkflowResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ValidateWorkflow"))
              .build();
        }
      }
    }
    return getValidateWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ListNodeTypesRequest,
      io.execsvc.v1.ListNodeTypesResponse> getListNodeTypesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListNodeTypes",
      requestType = io.execsvc.v1.ListNodeTypesRequest.class,
      responseType = io.execsvc.v1.ListNodeTypesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ListNodeTypesRequest,
      io.execsvc.v1.ListNodeTypesResponse> getListNodeTypesMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ListNodeTypesRequest, io.execsvc.v1.ListNodeTypesResponse> getListNodeTypesMethod;
    if ((getListNodeTypesMethod = WorkflowServiceGrpc.getListNodeTypesMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getListNodeTypesMethod = WorkflowServiceGrpc.getListNodeTypesMethod) == null) {
          WorkflowServiceGrpc.getListNodeTypesMethod = getListNodeTypesMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ListNodeTypesRequest, io.execsvc.v1.ListNodeTypesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListNodeTypes"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListNodeTypesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListNodeTypesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ListNodeTypes"))
              .build();
        }
      }
    }
    return getListNodeTypesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.CreateWorkflowRequest,
      io.execsvc.v1.CreateWorkflowResponse> getCreateWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateWorkflow",
      requestType = io.execsvc.v1.CreateWorkflowRequest.class,
      responseType = io.execsvc.v1.CreateWorkflowResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.CreateWorkflowRequest,
      io.execsvc.v1.CreateWorkflowResponse> getCreateWorkflowMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.CreateWorkflowRequest, io.execsvc.v1.CreateWorkflowResponse> getCreateWorkflowMethod;
    if ((getCreateWorkflowMethod = WorkflowServiceGrpc.getCreateWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getCreateWorkflowMethod = WorkflowServiceGrpc.getCreateWorkflowMethod) == null) {
          WorkflowServiceGrpc.getCreateWorkflowMethod = getCreateWorkflowMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.CreateWorkflowRequest, io.execsvc.v1.CreateWorkflowResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateWorkflow"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.CreateWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.CreateWorkflowResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("CreateWorkflow"))
              .build();
        }
      }
    }
    return getCreateWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.GetWorkflowRequest,
      io.execsvc.v1.GetWorkflowResponse> getGetWorkflowMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetWorkflow",
      requestType = io.execsvc.v1.GetWorkflowRequest.class,
      responseType = io.execsvc.v1.GetWorkflowResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.GetWorkflowRequest,
      io.execsvc.v1.GetWorkflowResponse> getGetWorkflowMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.GetWorkflowRequest, io.execsvc.v1.GetWorkflowResponse> getGetWorkflowMethod;
    if ((getGetWorkflowMethod = WorkflowServiceGrpc.getGetWorkflowMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getGetWorkflowMethod = WorkflowServiceGrpc.getGetWorkflowMethod) == null) {
          WorkflowServiceGrpc.getGetWorkflowMethod = getGetWorkflowMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.GetWorkflowRequest, io.execsvc.v1.GetWorkflowResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetWorkflow"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetWorkflowRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetWorkflowResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("GetWorkflow"))
              .build();
        }
      }
    }
    return getGetWorkflowMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ListWorkflowsRequest,
      io.execsvc.v1.ListWorkflowsResponse> getListWorkflowsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListWorkflows",
      requestType = io.execsvc.v1.ListWorkflowsRequest.class,
      responseType = io.execsvc.v1.ListWorkflowsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ListWorkflowsRequest,
      io.execsvc.v1.ListWorkflowsResponse> getListWorkflowsMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ListWorkflowsRequest, io.execsvc.v1.ListWorkflowsResponse> getListWorkflowsMethod;
    if ((getListWorkflowsMethod = WorkflowServiceGrpc.getListWorkflowsMethod) == null) {
      synchronized (WorkflowServiceGrpc.class) {
        if ((getListWorkflowsMethod = WorkflowServiceGrpc.getListWorkflowsMethod) == null) {
          WorkflowServiceGrpc.getListWorkflowsMethod = getListWorkflowsMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ListWorkflowsRequest, io.execsvc.v1.ListWorkflowsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListWorkflows"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListWorkflowsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListWorkflowsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkflowServiceMethodDescriptorSupplier("ListWorkflows"))
              .build();
        }
      }
    }
    return getListWorkflowsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static WorkflowServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceStub>() {
        @java.lang.Override
        public WorkflowServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceStub(channel, callOptions);
        }
      };
    return WorkflowServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static WorkflowServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingV2Stub>() {
        @java.lang.Override
        public WorkflowServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return WorkflowServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static WorkflowServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceBlockingStub>() {
        @java.lang.Override
        public WorkflowServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceBlockingStub(channel, callOptions);
        }
      };
    return WorkflowServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static WorkflowServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkflowServiceFutureStub>() {
        @java.lang.Override
        public WorkflowServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkflowServiceFutureStub(channel, callOptions);
        }
      };
    return WorkflowServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Checks a definition and answers every problem at once. A definition with problems is an answer, not an error.
     * </pre>
     */
    default void validateWorkflow(io.execsvc.v1.ValidateWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ValidateWorkflowResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidateWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the node types this server runs.
     * </pre>
     */
    default void listNodeTypes(io.execsvc.v1.ListNodeTypesRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListNodeTypesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListNodeTypesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Stores a definition as the newest version of a workflow. The version is the content's hash, so storing the same
     * definition again answers the version there is. INVALID_ARGUMENT with every problem and its path.
     * </pre>
     */
    default void createWorkflow(io.execsvc.v1.CreateWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.CreateWorkflowResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers a version of a stored workflow. NOT_FOUND if there is none.
     * </pre>
     */
    default void getWorkflow(io.execsvc.v1.GetWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetWorkflowResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetWorkflowMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the stored workflows, or of the versions of one, newest first.
     * </pre>
     */
    default void listWorkflows(io.execsvc.v1.ListWorkflowsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListWorkflowsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListWorkflowsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service WorkflowService.
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public static abstract class WorkflowServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return WorkflowServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service WorkflowService.
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public static final class WorkflowServiceStub
      extends io.grpc.stub.AbstractAsyncStub<WorkflowServiceStub> {
    private WorkflowServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks a definition and answers every problem at once. A definition with problems is an answer, not an error.
     * </pre>
     */
    public void validateWorkflow(io.execsvc.v1.ValidateWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ValidateWorkflowResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidateWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the node types this server runs.
     * </pre>
     */
    public void listNodeTypes(io.execsvc.v1.ListNodeTypesRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListNodeTypesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListNodeTypesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Stores a definition as the newest version of a workflow. The version is the content's hash, so storing the same
     * definition again answers the version there is. INVALID_ARGUMENT with every problem and its path.
     * </pre>
     */
    public void createWorkflow(io.execsvc.v1.CreateWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.CreateWorkflowResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers a version of a stored workflow. NOT_FOUND if there is none.
     * </pre>
     */
    public void getWorkflow(io.execsvc.v1.GetWorkflowRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetWorkflowResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetWorkflowMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the stored workflows, or of the versions of one, newest first.
     * </pre>
     */
    public void listWorkflows(io.execsvc.v1.ListWorkflowsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListWorkflowsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListWorkflowsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service WorkflowService.
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public static final class WorkflowServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<WorkflowServiceBlockingV2Stub> {
    private WorkflowServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks a definition and answers every problem at once. A definition with problems is an answer, not an error.
     * </pre>
     */
    public io.execsvc.v1.ValidateWorkflowResponse validateWorkflow(io.execsvc.v1.ValidateWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidateWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the node types this server runs.
     * </pre>
     */
    public io.execsvc.v1.ListNodeTypesResponse listNodeTypes(io.execsvc.v1.ListNodeTypesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListNodeTypesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stores a definition as the newest version of a workflow. The version is the content's hash, so storing the same
     * definition again answers the version there is. INVALID_ARGUMENT with every problem and its path.
     * </pre>
     */
    public io.execsvc.v1.CreateWorkflowResponse createWorkflow(io.execsvc.v1.CreateWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers a version of a stored workflow. NOT_FOUND if there is none.
     * </pre>
     */
    public io.execsvc.v1.GetWorkflowResponse getWorkflow(io.execsvc.v1.GetWorkflowRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the stored workflows, or of the versions of one, newest first.
     * </pre>
     */
    public io.execsvc.v1.ListWorkflowsResponse listWorkflows(io.execsvc.v1.ListWorkflowsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListWorkflowsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service WorkflowService.
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public static final class WorkflowServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<WorkflowServiceBlockingStub> {
    private WorkflowServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks a definition and answers every problem at once. A definition with problems is an answer, not an error.
     * </pre>
     */
    public io.execsvc.v1.ValidateWorkflowResponse validateWorkflow(io.execsvc.v1.ValidateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidateWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the node types this server runs.
     * </pre>
     */
    public io.execsvc.v1.ListNodeTypesResponse listNodeTypes(io.execsvc.v1.ListNodeTypesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListNodeTypesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stores a definition as the newest version of a workflow. The version is the content's hash, so storing the same
     * definition again answers the version there is. INVALID_ARGUMENT with every problem and its path.
     * </pre>
     */
    public io.execsvc.v1.CreateWorkflowResponse createWorkflow(io.execsvc.v1.CreateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers a version of a stored workflow. NOT_FOUND if there is none.
     * </pre>
     */
    public io.execsvc.v1.GetWorkflowResponse getWorkflow(io.execsvc.v1.GetWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetWorkflowMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the stored workflows, or of the versions of one, newest first.
     * </pre>
     */
    public io.execsvc.v1.ListWorkflowsResponse listWorkflows(io.execsvc.v1.ListWorkflowsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListWorkflowsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service WorkflowService.
   * <pre>
   * Checks workflows, says what they may be made of, and stores them under names.
   * </pre>
   */
  public static final class WorkflowServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<WorkflowServiceFutureStub> {
    private WorkflowServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkflowServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkflowServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Checks a definition and answers every problem at once. A definition with problems is an answer, not an error.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ValidateWorkflowResponse> validateWorkflow(
        io.execsvc.v1.ValidateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidateWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the node types this server runs.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ListNodeTypesResponse> listNodeTypes(
        io.execsvc.v1.ListNodeTypesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListNodeTypesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Stores a definition as the newest version of a workflow. The version is the content's hash, so storing the same
     * definition again answers the version there is. INVALID_ARGUMENT with every problem and its path.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.CreateWorkflowResponse> createWorkflow(
        io.execsvc.v1.CreateWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers a version of a stored workflow. NOT_FOUND if there is none.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.GetWorkflowResponse> getWorkflow(
        io.execsvc.v1.GetWorkflowRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetWorkflowMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers one page of the stored workflows, or of the versions of one, newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ListWorkflowsResponse> listWorkflows(
        io.execsvc.v1.ListWorkflowsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListWorkflowsMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_VALIDATE_WORKFLOW = 0;
  private static final int METHODID_LIST_NODE_TYPES = 1;
  private static final int METHODID_CREATE_WORKFLOW = 2;
  private static final int METHODID_GET_WORKFLOW = 3;
  private static final int METHODID_LIST_WORKFLOWS = 4;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_VALIDATE_WORKFLOW:
          serviceImpl.validateWorkflow((io.execsvc.v1.ValidateWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ValidateWorkflowResponse>) responseObserver);
          break;
        case METHODID_LIST_NODE_TYPES:
          serviceImpl.listNodeTypes((io.execsvc.v1.ListNodeTypesRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ListNodeTypesResponse>) responseObserver);
          break;
        case METHODID_CREATE_WORKFLOW:
          serviceImpl.createWorkflow((io.execsvc.v1.CreateWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.CreateWorkflowResponse>) responseObserver);
          break;
        case METHODID_GET_WORKFLOW:
          serviceImpl.getWorkflow((io.execsvc.v1.GetWorkflowRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.GetWorkflowResponse>) responseObserver);
          break;
        case METHODID_LIST_WORKFLOWS:
          serviceImpl.listWorkflows((io.execsvc.v1.ListWorkflowsRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ListWorkflowsResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getValidateWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ValidateWorkflowRequest,
              io.execsvc.v1.ValidateWorkflowResponse>(
                service, METHODID_VALIDATE_WORKFLOW)))
        .addMethod(
          getListNodeTypesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ListNodeTypesRequest,
              io.execsvc.v1.ListNodeTypesResponse>(
                service, METHODID_LIST_NODE_TYPES)))
        .addMethod(
          getCreateWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.CreateWorkflowRequest,
              io.execsvc.v1.CreateWorkflowResponse>(
                service, METHODID_CREATE_WORKFLOW)))
        .addMethod(
          getGetWorkflowMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.GetWorkflowRequest,
              io.execsvc.v1.GetWorkflowResponse>(
                service, METHODID_GET_WORKFLOW)))
        .addMethod(
          getListWorkflowsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ListWorkflowsRequest,
              io.execsvc.v1.ListWorkflowsResponse>(
                service, METHODID_LIST_WORKFLOWS)))
        .build();
  }

  private static abstract class WorkflowServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    WorkflowServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.execsvc.v1.WorkflowServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("WorkflowService");
    }
  }

  private static final class WorkflowServiceFileDescriptorSupplier
      extends WorkflowServiceBaseDescriptorSupplier {
    WorkflowServiceFileDescriptorSupplier() {}
  }

  private static final class WorkflowServiceMethodDescriptorSupplier
      extends WorkflowServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    WorkflowServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (WorkflowServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new WorkflowServiceFileDescriptorSupplier())
              .addMethod(getValidateWorkflowMethod())
              .addMethod(getListNodeTypesMethod())
              .addMethod(getCreateWorkflowMethod())
              .addMethod(getGetWorkflowMethod())
              .addMethod(getListWorkflowsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
