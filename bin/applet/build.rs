//! Compiles the windows and puts their fonts into the program, so that a computer without fonts still shows them.

fn main() {
    let config = slint_build::CompilerConfiguration::new()
        .with_style("fluent".into())
        .embed_resources(slint_build::EmbedResourcesKind::EmbedFiles);
    if let Err(error) = slint_build::compile_with_config("ui/applet.slint", config) {
        println!("cargo::error=cannot compile the windows: {error}");
    }
}
