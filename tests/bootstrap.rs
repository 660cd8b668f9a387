//! The committed protobuf code is what `proto/` generates. Without `protoc`:
//! protox compiles the descriptors.

use std::path::Path;

/// Set it to have the committed code overwritten.
const OVERWRITE: &str = "CONCAUDIT_BOOTSTRAP";

#[test]
fn the_committed_protobuf_code_is_what_the_proto_files_generate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors =
        protox::compile([root.join("proto/concaudit/v1/audit.proto")], [root.join("proto")])
            .expect("the proto file compiles");

    let scratch = tempfile::tempdir().expect("a temporary directory");
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .out_dir(scratch.path())
        .compile_fds(descriptors)
        .expect("code generation works");

    for name in ["concaudit.v1.rs"] {
        let generated = fs_err::read_to_string(scratch.path().join(name)).expect("was generated");
        let committed_path = root.join("probe/server/src/generated").join(name);
        if std::env::var_os(OVERWRITE).is_some() {
            fs_err::write(&committed_path, generated).expect("can be overwritten");
            continue;
        }
        let committed = fs_err::read_to_string(&committed_path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is stale: run `{OVERWRITE}=1 cargo test --test bootstrap` and commit the result",
            committed_path.display(),
        );
    }
}
