// The messages, enums and services of the API, as generated from the protos.

export * from "./gen/execsvc/v1/execution_pb.js";
export * from "./gen/execsvc/v1/execution_service_pb.js";
export * from "./gen/execsvc/v1/log_pb.js";
export * from "./gen/execsvc/v1/server_service_pb.js";
export * from "./gen/execsvc/v1/workflow_pb.js";
export * from "./gen/execsvc/v1/workflow_service_pb.js";
