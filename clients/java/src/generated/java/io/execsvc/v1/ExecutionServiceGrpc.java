package io.execsvc.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ExecutionServiceGrpc {

  private ExecutionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "execsvc.v1.ExecutionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ExecuteRequest,
      io.execsvc.v1.ExecuteResponse> getExecuteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Execute",
      requestType = io.execsvc.v1.ExecuteRequest.class,
      responseType = io.execsvc.v1.ExecuteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ExecuteRequest,
      io.execsvc.v1.ExecuteResponse> getExecuteMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ExecuteRequest, io.execsvc.v1.ExecuteResponse> getExecuteMethod;
    if ((getExecuteMethod = ExecutionServiceGrpc.getExecuteMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getExecuteMethod = ExecutionServiceGrpc.getExecuteMethod) == null) {
          ExecutionServiceGrpc.getExecuteMethod = getExecuteMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ExecuteRequest, io.execsvc.v1.ExecuteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Execute"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ExecuteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ExecuteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("Execute"))
              .build();
        }
      }
    }
    return getExecuteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.GetStatusRequest,
      io.execsvc.v1.GetStatusResponse> getGetStatusMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetStatus",
      requestType = io.execsvc.v1.GetStatusRequest.class,
      responseType = io.execsvc.v1.GetStatusResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.GetStatusRequest,
      io.execsvc.v1.GetStatusResponse> getGetStatusMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.GetStatusRequest, io.execsvc.v1.GetStatusResponse> getGetStatusMethod;
    if ((getGetStatusMethod = ExecutionServiceGrpc.getGetStatusMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getGetStatusMethod = ExecutionServiceGrpc.getGetStatusMethod) == null) {
          ExecutionServiceGrpc.getGetStatusMethod = getGetStatusMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.GetStatusRequest, io.execsvc.v1.GetStatusResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetStatus"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetStatusRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetStatusResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("GetStatus"))
              .build();
        }
      }
    }
    return getGetStatusMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.GetExecutionRequest,
      io.execsvc.v1.GetExecutionResponse> getGetExecutionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetExecution",
      requestType = io.execsvc.v1.GetExecutionRequest.class,
      responseType = io.execsvc.v1.GetExecutionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.GetExecutionRequest,
      io.execsvc.v1.GetExecutionResponse> getGetExecutionMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.GetExecutionRequest, io.execsvc.v1.GetExecutionResponse> getGetExecutionMethod;
    if ((getGetExecutionMethod = ExecutionServiceGrpc.getGetExecutionMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getGetExecutionMethod = ExecutionServiceGrpc.getGetExecutionMethod) == null) {
          ExecutionServiceGrpc.getGetExecutionMethod = getGetExecutionMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.GetExecutionRequest, io.execsvc.v1.GetExecutionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetExecution"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetExecutionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.GetExecutionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("GetExecution"))
              .build();
        }
      }
    }
    return getGetExecutionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.StreamLogsRequest,
      io.execsvc.v1.StreamLogsResponse> getStreamLogsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamLogs",
      requestType = io.execsvc.v1.StreamLogsRequest.class,
      responseType = io.execsvc.v1.StreamLogsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.StreamLogsRequest,
      io.execsvc.v1.StreamLogsResponse> getStreamLogsMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.StreamLogsRequest, io.execsvc.v1.StreamLogsResponse> getStreamLogsMethod;
    if ((getStreamLogsMethod = ExecutionServiceGrpc.getStreamLogsMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getStreamLogsMethod = ExecutionServiceGrpc.getStreamLogsMethod) == null) {
          ExecutionServiceGrpc.getStreamLogsMethod = getStreamLogsMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.StreamLogsRequest, io.execsvc.v1.StreamLogsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamLogs"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.StreamLogsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.StreamLogsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("StreamLogs"))
              .build();
        }
      }
    }
    return getStreamLogsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ListLogsRequest,
      io.execsvc.v1.ListLogsResponse> getListLogsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListLogs",
      requestType = io.execsvc.v1.ListLogsRequest.class,
      responseType = io.execsvc.v1.ListLogsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ListLogsRequest,
      io.execsvc.v1.ListLogsResponse> getListLogsMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ListLogsRequest, io.execsvc.v1.ListLogsResponse> getListLogsMethod;
    if ((getListLogsMethod = ExecutionServiceGrpc.getListLogsMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getListLogsMethod = ExecutionServiceGrpc.getListLogsMethod) == null) {
          ExecutionServiceGrpc.getListLogsMethod = getListLogsMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ListLogsRequest, io.execsvc.v1.ListLogsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListLogs"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListLogsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListLogsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("ListLogs"))
              .build();
        }
      }
    }
    return getListLogsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ControlRequest,
      io.execsvc.v1.ControlResponse> getControlMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Control",
      requestType = io.execsvc.v1.ControlRequest.class,
      responseType = io.execsvc.v1.ControlResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ControlRequest,
      io.execsvc.v1.ControlResponse> getControlMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ControlRequest, io.execsvc.v1.ControlResponse> getControlMethod;
    if ((getControlMethod = ExecutionServiceGrpc.getControlMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getControlMethod = ExecutionServiceGrpc.getControlMethod) == null) {
          ExecutionServiceGrpc.getControlMethod = getControlMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ControlRequest, io.execsvc.v1.ControlResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Control"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ControlRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ControlResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("Control"))
              .build();
        }
      }
    }
    return getControlMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.WatchExecutionRequest,
      io.execsvc.v1.WatchExecutionResponse> getWatchExecutionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchExecution",
      requestType = io.execsvc.v1.WatchExecutionRequest.class,
      responseType = io.execsvc.v1.WatchExecutionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.WatchExecutionRequest,
      io.execsvc.v1.WatchExecutionResponse> getWatchExecutionMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.WatchExecutionRequest, io.execsvc.v1.WatchExecutionResponse> getWatchExecutionMethod;
    if ((getWatchExecutionMethod = ExecutionServiceGrpc.getWatchExecutionMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getWatchExecutionMethod = ExecutionServiceGrpc.getWatchExecutionMethod) == null) {
          ExecutionServiceGrpc.getWatchExecutionMethod = getWatchExecutionMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.WatchExecutionRequest, io.execsvc.v1.WatchExecutionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchExecution"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.WatchExecutionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.WatchExecutionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("WatchExecution"))
              .build();
        }
      }
    }
    return getWatchExecutionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.ListExecutionsRequest,
      io.execsvc.v1.ListExecutionsResponse> getListExecutionsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListExecutions",
      requestType = io.execsvc.v1.ListExecutionsRequest.class,
      responseType = io.execsvc.v1.ListExecutionsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.ListExecutionsRequest,
      io.execsvc.v1.ListExecutionsResponse> getListExecutionsMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.ListExecutionsRequest, io.execsvc.v1.ListExecutionsResponse> getListExecutionsMethod;
    if ((getListExecutionsMethod = ExecutionServiceGrpc.getListExecutionsMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getListExecutionsMethod = ExecutionServiceGrpc.getListExecutionsMethod) == null) {
          ExecutionServiceGrpc.getListExecutionsMethod = getListExecutionsMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.ListExecutionsRequest, io.execsvc.v1.ListExecutionsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListExecutions"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListExecutionsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.ListExecutionsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("ListExecutions"))
              .build();
        }
      }
    }
    return getListExecutionsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.execsvc.v1.DeleteExecutionRequest,
      io.execsvc.v1.DeleteExecutionResponse> getDeleteExecutionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteExecution",
      requestType = io.execsvc.v1.DeleteExecutionRequest.class,
      responseType = io.execsvc.v1.DeleteExecutionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.execsvc.v1.DeleteExecutionRequest,
      io.execsvc.v1.DeleteExecutionResponse> getDeleteExecutionMethod() {
    io.grpc.MethodDescriptor<io.execsvc.v1.DeleteExecutionRequest, io.execsvc.v1.DeleteExecutionResponse> getDeleteExecutionMethod;
    if ((getDeleteExecutionMethod = ExecutionServiceGrpc.getDeleteExecutionMethod) == null) {
      synchronized (ExecutionServiceGrpc.class) {
        if ((getDeleteExecutionMethod = ExecutionServiceGrpc.getDeleteExecutionMethod) == null) {
          ExecutionServiceGrpc.getDeleteExecutionMethod = getDeleteExecutionMethod =
              io.grpc.MethodDescriptor.<io.execsvc.v1.DeleteExecutionRequest, io.execsvc.v1.DeleteExecutionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteExecution"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.DeleteExecutionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.execsvc.v1.DeleteExecutionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ExecutionServiceMethodDescriptorSupplier("DeleteExecution"))
              .build();
        }
      }
    }
    return getDeleteExecutionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ExecutionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceStub>() {
        @java.lang.Override
        public ExecutionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ExecutionServiceStub(channel, callOptions);
        }
      };
    return ExecutionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ExecutionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceBlockingV2Stub>() {
        @java.lang.Override
        public ExecutionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ExecutionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ExecutionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ExecutionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceBlockingStub>() {
        @java.lang.Override
        public ExecutionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ExecutionServiceBlockingStub(channel, callOptions);
        }
      };
    return ExecutionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ExecutionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ExecutionServiceFutureStub>() {
        @java.lang.Override
        public ExecutionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ExecutionServiceFutureStub(channel, callOptions);
        }
      };
    return ExecutionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Stores an execution and queues it; answers once that is on disk.
     * Repeating the same request answers the existing execution, so a call is safe to retry when execution_id is set.
     * INVALID_ARGUMENT with every problem and its path; ALREADY_EXISTS if the id was used with another request;
     * RESOURCE_EXHAUSTED if something is too large or the queue is full; UNAVAILABLE while the server drains.
     * </pre>
     */
    default void execute(io.execsvc.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ExecuteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExecuteMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers where an execution stands, in one indexed read. NOT_FOUND if there is none with this id.
     * </pre>
     */
    default void getStatus(io.execsvc.v1.GetStatusRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetStatusResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetStatusMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers the record of an execution. NOT_FOUND if there is none with this id.
     * </pre>
     */
    default void getExecution(io.execsvc.v1.GetExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetExecutionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetExecutionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams the log in order, batched. With follow it goes on until the execution has reached a final state and
     * every entry was sent; the last response then carries final_status. A client that reconnects with the
     * last_sequence it saw misses nothing and sees nothing twice.
     * NOT_FOUND if there is no such execution; OUT_OF_RANGE if after_sequence lies past the end of the log.
     * </pre>
     */
    default void streamLogs(io.execsvc.v1.StreamLogsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.StreamLogsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStreamLogsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the log, oldest first. NOT_FOUND if there is no such execution.
     * </pre>
     */
    default void listLogs(io.execsvc.v1.ListLogsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListLogsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListLogsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Pauses, resumes, stops or retries an execution; answers once the change is on disk.
     * FAILED_PRECONDITION with the current state if it does not allow the action; ABORTED if expected_state was given
     * and is not the state.
     * </pre>
     */
    default void control(io.execsvc.v1.ControlRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ControlResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getControlMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams snapshots of an execution: the first at once, then one after each change, the last when it has ended.
     * Changes that come faster than they are read are joined into one. NOT_FOUND if there is no such execution.
     * </pre>
     */
    default void watchExecution(io.execsvc.v1.WatchExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.WatchExecutionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchExecutionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the executions there are. INVALID_ARGUMENT for a filter, order or token that cannot be used.
     * </pre>
     */
    default void listExecutions(io.execsvc.v1.ListExecutionsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListExecutionsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListExecutionsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Removes an execution that has ended, with its journal and its log; its id may be used again.
     * NOT_FOUND if there is none; FAILED_PRECONDITION with the state if it has not ended.
     * </pre>
     */
    default void deleteExecution(io.execsvc.v1.DeleteExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.DeleteExecutionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteExecutionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ExecutionService.
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public static abstract class ExecutionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ExecutionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ExecutionService.
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public static final class ExecutionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ExecutionServiceStub> {
    private ExecutionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ExecutionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ExecutionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Stores an execution and queues it; answers once that is on disk.
     * Repeating the same request answers the existing execution, so a call is safe to retry when execution_id is set.
     * INVALID_ARGUMENT with every problem and its path; ALREADY_EXISTS if the id was used with another request;
     * RESOURCE_EXHAUSTED if something is too large or the queue is full; UNAVAILABLE while the server drains.
     * </pre>
     */
    public void execute(io.execsvc.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ExecuteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getExecuteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers where an execution stands, in one indexed read. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public void getStatus(io.execsvc.v1.GetStatusRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetStatusResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetStatusMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers the record of an execution. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public void getExecution(io.execsvc.v1.GetExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.GetExecutionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetExecutionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams the log in order, batched. With follow it goes on until the execution has reached a final state and
     * every entry was sent; the last response then carries final_status. A client that reconnects with the
     * last_sequence it saw misses nothing and sees nothing twice.
     * NOT_FOUND if there is no such execution; OUT_OF_RANGE if after_sequence lies past the end of the log.
     * </pre>
     */
    public void streamLogs(io.execsvc.v1.StreamLogsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.StreamLogsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getStreamLogsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the log, oldest first. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public void listLogs(io.execsvc.v1.ListLogsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListLogsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListLogsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Pauses, resumes, stops or retries an execution; answers once the change is on disk.
     * FAILED_PRECONDITION with the current state if it does not allow the action; ABORTED if expected_state was given
     * and is not the state.
     * </pre>
     */
    public void control(io.execsvc.v1.ControlRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ControlResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getControlMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams snapshots of an execution: the first at once, then one after each change, the last when it has ended.
     * Changes that come faster than they are read are joined into one. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public void watchExecution(io.execsvc.v1.WatchExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.WatchExecutionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchExecutionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers one page of the executions there are. INVALID_ARGUMENT for a filter, order or token that cannot be used.
     * </pre>
     */
    public void listExecutions(io.execsvc.v1.ListExecutionsRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.ListExecutionsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListExecutionsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Removes an execution that has ended, with its journal and its log; its id may be used again.
     * NOT_FOUND if there is none; FAILED_PRECONDITION with the state if it has not ended.
     * </pre>
     */
    public void deleteExecution(io.execsvc.v1.DeleteExecutionRequest request,
        io.grpc.stub.StreamObserver<io.execsvc.v1.DeleteExecutionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteExecutionMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ExecutionService.
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public static final class ExecutionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ExecutionServiceBlockingV2Stub> {
    private ExecutionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ExecutionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ExecutionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Stores an execution and queues it; answers once that is on disk.
     * Repeating the same request answers the existing execution, so a call is safe to retry when execution_id is set.
     * INVALID_ARGUMENT with every problem and its path; ALREADY_EXISTS if the id was used with another request;
     * RESOURCE_EXHAUSTED if something is too large or the queue is full; UNAVAILABLE while the server drains.
     * </pre>
     */
    public io.execsvc.v1.ExecuteResponse execute(io.execsvc.v1.ExecuteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getExecuteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers where an execution stands, in one indexed read. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public io.execsvc.v1.GetStatusResponse getStatus(io.execsvc.v1.GetStatusRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers the record of an execution. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public io.execsvc.v1.GetExecutionResponse getExecution(io.execsvc.v1.GetExecutionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetExecutionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the log in order, batched. With follow it goes on until the execution has reached a final state and
     * every entry was sent; the last response then carries final_status. A client that reconnects with the
     * last_sequence it saw misses nothing and sees nothing twice.
     * NOT_FOUND if there is no such execution; OUT_OF_RANGE if after_sequence lies past the end of the log.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.execsvc.v1.StreamLogsResponse>
        streamLogs(io.execsvc.v1.StreamLogsRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getStreamLogsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the log, oldest first. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public io.execsvc.v1.ListLogsResponse listLogs(io.execsvc.v1.ListLogsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListLogsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses, resumes, stops or retries an execution; answers once the change is on disk.
     * FAILED_PRECONDITION with the current state if it does not allow the action; ABORTED if expected_state was given
     * and is not the state.
     * </pre>
     */
    public io.execsvc.v1.ControlResponse control(io.execsvc.v1.ControlRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getControlMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams snapshots of an execution: the first at once, then one after each change, the last when it has ended.
     * Changes that come faster than they are read are joined into one. NOT_FOUND if there is no such execution.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.execsvc.v1.WatchExecutionResponse>
        watchExecution(io.execsvc.v1.WatchExecutionRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchExecutionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the executions there are. INVALID_ARGUMENT for a filter, order or token that cannot be used.
     * </pre>
     */
    public io.execsvc.v1.ListExecutionsResponse listExecutions(io.execsvc.v1.ListExecutionsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListExecutionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes an execution that has ended, with its journal and its log; its id may be used again.
     * NOT_FOUND if there is none; FAILED_PRECONDITION with the state if it has not ended.
     * </pre>
     */
    public io.execsvc.v1.DeleteExecutionResponse deleteExecution(io.execsvc.v1.DeleteExecutionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteExecutionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ExecutionService.
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public static final class ExecutionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ExecutionServiceBlockingStub> {
    private ExecutionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ExecutionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ExecutionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Stores an execution and queues it; answers once that is on disk.
     * Repeating the same request answers the existing execution, so a call is safe to retry when execution_id is set.
     * INVALID_ARGUMENT with every problem and its path; ALREADY_EXISTS if the id was used with another request;
     * RESOURCE_EXHAUSTED if something is too large or the queue is full; UNAVAILABLE while the server drains.
     * </pre>
     */
    public io.execsvc.v1.ExecuteResponse execute(io.execsvc.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getExecuteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers where an execution stands, in one indexed read. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public io.execsvc.v1.GetStatusResponse getStatus(io.execsvc.v1.GetStatusRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers the record of an execution. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public io.execsvc.v1.GetExecutionResponse getExecution(io.execsvc.v1.GetExecutionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetExecutionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the log in order, batched. With follow it goes on until the execution has reached a final state and
     * every entry was sent; the last response then carries final_status. A client that reconnects with the
     * last_sequence it saw misses nothing and sees nothing twice.
     * NOT_FOUND if there is no such execution; OUT_OF_RANGE if after_sequence lies past the end of the log.
     * </pre>
     */
    public java.util.Iterator<io.execsvc.v1.StreamLogsResponse> streamLogs(
        io.execsvc.v1.StreamLogsRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getStreamLogsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the log, oldest first. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public io.execsvc.v1.ListLogsResponse listLogs(io.execsvc.v1.ListLogsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListLogsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses, resumes, stops or retries an execution; answers once the change is on disk.
     * FAILED_PRECONDITION with the current state if it does not allow the action; ABORTED if expected_state was given
     * and is not the state.
     * </pre>
     */
    public io.execsvc.v1.ControlResponse control(io.execsvc.v1.ControlRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getControlMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams snapshots of an execution: the first at once, then one after each change, the last when it has ended.
     * Changes that come faster than they are read are joined into one. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public java.util.Iterator<io.execsvc.v1.WatchExecutionResponse> watchExecution(
        io.execsvc.v1.WatchExecutionRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchExecutionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers one page of the executions there are. INVALID_ARGUMENT for a filter, order or token that cannot be used.
     * </pre>
     */
    public io.execsvc.v1.ListExecutionsResponse listExecutions(io.execsvc.v1.ListExecutionsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListExecutionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes an execution that has ended, with its journal and its log; its id may be used again.
     * NOT_FOUND if there is none; FAILED_PRECONDITION with the state if it has not ended.
     * </pre>
     */
    public io.execsvc.v1.DeleteExecutionResponse deleteExecution(io.execsvc.v1.DeleteExecutionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteExecutionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ExecutionService.
   * <pre>
   * Runs workflows durably. Every error carries google.rpc.ErrorInfo with domain "execsvc" and a stable reason.
   * </pre>
   */
  public static final class ExecutionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ExecutionServiceFutureStub> {
    private ExecutionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ExecutionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ExecutionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Stores an execution and queues it; answers once that is on disk.
     * Repeating the same request answers the existing execution, so a call is safe to retry when execution_id is set.
     * INVALID_ARGUMENT with every problem and its path; ALREADY_EXISTS if the id was used with another request;
     * RESOURCE_EXHAUSTED if something is too large or the queue is full; UNAVAILABLE while the server drains.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ExecuteResponse> execute(
        io.execsvc.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getExecuteMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers where an execution stands, in one indexed read. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.GetStatusResponse> getStatus(
        io.execsvc.v1.GetStatusRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetStatusMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers the record of an execution. NOT_FOUND if there is none with this id.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.GetExecutionResponse> getExecution(
        io.execsvc.v1.GetExecutionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetExecutionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers one page of the log, oldest first. NOT_FOUND if there is no such execution.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ListLogsResponse> listLogs(
        io.execsvc.v1.ListLogsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListLogsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Pauses, resumes, stops or retries an execution; answers once the change is on disk.
     * FAILED_PRECONDITION with the current state if it does not allow the action; ABORTED if expected_state was given
     * and is not the state.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ControlResponse> control(
        io.execsvc.v1.ControlRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getControlMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers one page of the executions there are. INVALID_ARGUMENT for a filter, order or token that cannot be used.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.ListExecutionsResponse> listExecutions(
        io.execsvc.v1.ListExecutionsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListExecutionsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Removes an execution that has ended, with its journal and its log; its id may be used again.
     * NOT_FOUND if there is none; FAILED_PRECONDITION with the state if it has not ended.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.execsvc.v1.DeleteExecutionResponse> deleteExecution(
        io.execsvc.v1.DeleteExecutionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteExecutionMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_EXECUTE = 0;
  private static final int METHODID_GET_STATUS = 1;
  private static final int METHODID_GET_EXECUTION = 2;
  private static final int METHODID_STREAM_LOGS = 3;
  private static final int METHODID_LIST_LOGS = 4;
  private static final int METHODID_CONTROL = 5;
  private static final int METHODID_WATCH_EXECUTION = 6;
  private static final int METHODID_LIST_EXECUTIONS = 7;
  private static final int METHODID_DELETE_EXECUTION = 8;

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
        case METHODID_EXECUTE:
          serviceImpl.execute((io.execsvc.v1.ExecuteRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ExecuteResponse>) responseObserver);
          break;
        case METHODID_GET_STATUS:
          serviceImpl.getStatus((io.execsvc.v1.GetStatusRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.GetStatusResponse>) responseObserver);
          break;
        case METHODID_GET_EXECUTION:
          serviceImpl.getExecution((io.execsvc.v1.GetExecutionRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.GetExecutionResponse>) responseObserver);
          break;
        case METHODID_STREAM_LOGS:
          serviceImpl.streamLogs((io.execsvc.v1.StreamLogsRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.StreamLogsResponse>) responseObserver);
          break;
        case METHODID_LIST_LOGS:
          serviceImpl.listLogs((io.execsvc.v1.ListLogsRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ListLogsResponse>) responseObserver);
          break;
        case METHODID_CONTROL:
          serviceImpl.control((io.execsvc.v1.ControlRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ControlResponse>) responseObserver);
          break;
        case METHODID_WATCH_EXECUTION:
          serviceImpl.watchExecution((io.execsvc.v1.WatchExecutionRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.WatchExecutionResponse>) responseObserver);
          break;
        case METHODID_LIST_EXECUTIONS:
          serviceImpl.listExecutions((io.execsvc.v1.ListExecutionsRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.ListExecutionsResponse>) responseObserver);
          break;
        case METHODID_DELETE_EXECUTION:
          serviceImpl.deleteExecution((io.execsvc.v1.DeleteExecutionRequest) request,
              (io.grpc.stub.StreamObserver<io.execsvc.v1.DeleteExecutionResponse>) responseObserver);
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
          getExecuteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ExecuteRequest,
              io.execsvc.v1.ExecuteResponse>(
                service, METHODID_EXECUTE)))
        .addMethod(
          getGetStatusMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.GetStatusRequest,
              io.execsvc.v1.GetStatusResponse>(
                service, METHODID_GET_STATUS)))
        .addMethod(
          getGetExecutionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.GetExecutionRequest,
              io.execsvc.v1.GetExecutionResponse>(
                service, METHODID_GET_EXECUTION)))
        .addMethod(
          getStreamLogsMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.execsvc.v1.StreamLogsRequest,
              io.execsvc.v1.StreamLogsResponse>(
                service, METHODID_STREAM_LOGS)))
        .addMethod(
          getListLogsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ListLogsRequest,
              io.execsvc.v1.ListLogsResponse>(
                service, METHODID_LIST_LOGS)))
        .addMethod(
          getControlMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ControlRequest,
              io.execsvc.v1.ControlResponse>(
                service, METHODID_CONTROL)))
        .addMethod(
          getWatchExecutionMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.execsvc.v1.WatchExecutionRequest,
              io.execsvc.v1.WatchExecutionResponse>(
                service, METHODID_WATCH_EXECUTION)))
        .addMethod(
          getListExecutionsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.ListExecutionsRequest,
              io.execsvc.v1.ListExecutionsResponse>(
                service, METHODID_LIST_EXECUTIONS)))
        .addMethod(
          getDeleteExecutionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.execsvc.v1.DeleteExecutionRequest,
              io.execsvc.v1.DeleteExecutionResponse>(
                service, METHODID_DELETE_EXECUTION)))
        .build();
  }

  private static abstract class ExecutionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ExecutionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.execsvc.v1.ExecutionServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ExecutionService");
    }
  }

  private static final class ExecutionServiceFileDescriptorSupplier
      extends ExecutionServiceBaseDescriptorSupplier {
    ExecutionServiceFileDescriptorSupplier() {}
  }

  private static final class ExecutionServiceMethodDescriptorSupplier
      extends ExecutionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ExecutionServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ExecutionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ExecutionServiceFileDescriptorSupplier())
              .addMethod(getExecuteMethod())
              .addMethod(getGetStatusMethod())
              .addMethod(getGetExecutionMethod())
              .addMethod(getStreamLogsMethod())
              .addMethod(getListLogsMethod())
              .addMethod(getControlMethod())
              .addMethod(getWatchExecutionMethod())
              .addMethod(getListExecutionsMethod())
              .addMethod(getDeleteExecutionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
