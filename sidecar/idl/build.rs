//! Compiles our `.proto` files, without protoc: messages and services, and the table by which messages are
//! encoded in one form ([`canonical`](src/canonical.rs)).

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;

use buffa_codegen::{CodeGenConfig, MapRepr};
use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Each names what is needed of the others in its imports.
const ROOTS: [&str; 2] = ["flyteidl2/cluster/service.proto", "flyteidl2/dataproxy/dataproxy_service.proto"];
/// What is encoded in one form.
const CANONICAL: &str = ".flyteidl2.task.Inputs";

fn main() -> Result<(), Box<dyn Error>> {
    let out: PathBuf = std::env::var_os("OUT_DIR").ok_or("there is no OUT_DIR")?.into();
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(ROOTS, ["proto"])?;
    let path = out.join("flyteidl2.bin");
    std::fs::write(&path, set.encode_to_vec())?;
    // Cargo is told to watch this file. Were it newer than this run, every build would begin with all of this anew.
    let made_of = std::fs::metadata(format!("proto/{}", ROOTS[0]))?.modified()?;
    File::options().write(true).open(&path)?.set_modified(made_of)?;
    std::fs::write(out.join("canonical.rs"), table(&set)?)?;

    let own = |name: &&str| !name.starts_with("google/");
    let files: Vec<&str> = set.file.iter().map(prost_types::FileDescriptorProto::name).filter(own).collect();
    let mut messages = CodeGenConfig::default();
    messages.generate_json = true;
    messages.map_fields = vec![(".".to_owned(), MapRepr::BTreeMap)];
    connectrpc_build::Config::new()
        .buffa_config(messages)
        .descriptor_set(path)
        .files(&files)
        .file_per_package(true)
        .gate_client_feature(true)
        .include_file("flyteidl2.rs")
        .compile()?;
    Ok(())
}

/// The messages that one of the canonical kind can have in it, as a table of Rust. A message is named by its place
/// in the table; the first is the canonical one.
fn table(set: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut all = BTreeMap::new();
    for file in &set.file {
        for message in &file.message_type {
            collect(&mut all, &format!(".{}", file.package()), message);
        }
    }
    let mut names = vec![CANONICAL.to_owned()];
    let mut rows = String::new();
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        let message = all.get(&name).ok_or_else(|| format!("no message {name}"))?;
        writeln!(rows, "    // {name}\n    &[")?;
        for field in &message.field {
            let kind = kind(field, &all, &mut names)?;
            let (number, place, wire) = (field.number(), place(message, field), wire(field));
            writeln!(rows, "        Field {{ number: {number}, place: {place}, wire: {wire}, kind: Kind::{kind} }},")?;
        }
        rows.push_str("    ],\n");
    }
    Ok(format!("static MESSAGES: &[&[Field]] = &[\n{rows}];\n"))
}

fn collect<'a>(all: &mut BTreeMap<String, &'a DescriptorProto>, outer: &str, message: &'a DescriptorProto) {
    let name = format!("{outer}.{}", message.name());
    for nested in &message.nested_type {
        collect(all, &name, nested);
    }
    all.insert(name, message);
}

fn kind(
    field: &FieldDescriptorProto,
    all: &BTreeMap<String, &DescriptorProto>,
    names: &mut Vec<String>,
) -> Result<String, Box<dyn Error>> {
    if field.r#type() != Type::Message {
        return Ok("Plain".to_owned());
    }
    let message = all.get(field.type_name()).ok_or_else(|| format!("no message {}", field.type_name()))?;
    let is_map = message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
    if is_map && message.field.first().is_none_or(|key| key.r#type() != Type::String) {
        return Err(format!("{}: only maps with texts as keys are put in order", field.name()).into());
    }
    let known = names.iter().position(|name| name == field.type_name());
    let index = known.unwrap_or_else(|| {
        names.push(field.type_name().to_owned());
        names.len() - 1
    });
    Ok(format!("{}({index})", if is_map { "Map" } else { "Message" }))
}

/// Where Go's library writes a field: by number, but whichever member of a oneof is there, in the place of the
/// member that is declared first.
fn place(message: &DescriptorProto, field: &FieldDescriptorProto) -> i32 {
    let choice = field.oneof_index.filter(|_| !field.proto3_optional());
    let first = choice.and_then(|choice| message.field.iter().find(|other| other.oneof_index == Some(choice)));
    first.unwrap_or(field).number()
}

fn wire(field: &FieldDescriptorProto) -> u32 {
    use prost_types::field_descriptor_proto::Label;
    match field.r#type() {
        Type::String | Type::Bytes | Type::Message | Type::Group => 2,
        _ if field.label() == Label::Repeated => 2,
        Type::Double | Type::Fixed64 | Type::Sfixed64 => 1,
        Type::Float | Type::Fixed32 | Type::Sfixed32 => 5,
        _ => 0,
    }
}
