//! Compiles `proto/` into Rust, without a `protoc` to install.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["tfplugin6.proto", "plugin.proto", "health.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .compile_well_known_types(true)
        .include_file("protocols.rs")
        .compile_fds(files)?;
    Ok(())
}
