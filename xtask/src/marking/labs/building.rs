//! From a repository to a cluster: the image by its Packer template, the objects by its
//! playbook.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use super::fault::of_the_work;
use crate::context::Context;
use crate::engine::k3d::apart::Apart;
use crate::failure::{Kind, kind};
use crate::marking::repository::layout::{Layout, Text, pod_spec, repository};
use crate::tools::toolbox::Tool;
use crate::tools::{ansible, packer};

/// The last lines of an error, which has the output of a tool in it.
pub fn short(error: &anyhow::Error) -> String {
    let said = format!("{error:#}");
    let skip = said.chars().count().saturating_sub(500);
    said.chars().skip(skip).collect()
}

/// The files of objects that stay: no jobs, and no restore.
pub fn manifests(layout: &Layout) -> Vec<String> {
    let usual = |path: &str| path.starts_with("k8s/");
    let has_usual = layout.objects.iter().any(|object| usual(&object.path));
    let mut files: Vec<String> = Vec::new();
    for object in &layout.objects {
        let path = &object.path;
        let job = object.value["kind"] == "Job" || path.starts_with("pra/");
        let elsewhere = has_usual && !usual(path);
        if !job && !elsewhere && !files.contains(path) {
            files.push(path.clone());
        }
    }
    files
}

/// The images that the objects of the work ask for.
fn wanted(layout: &Layout) -> Vec<String> {
    let mut images = Vec::new();
    for object in &layout.objects {
        let containers = pod_spec(&object.value)["containers"].as_array();
        for container in containers.into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default().to_owned();
            if !image.is_empty() && !images.contains(&image) {
                images.push(image);
            }
        }
    }
    images
}

/// Builds by the template; returns those images of the manifests that are of it.
pub fn build(
    ctx: &Context,
    apart: &mut Apart,
    root: &Path,
    layout: &Layout,
) -> Result<Vec<String>> {
    let wanted = wanted(layout);
    let of = |text: &Text| -> Vec<String> {
        let named = |image: &&String| text.text.contains(repository(image));
        wanted.iter().filter(named).cloned().collect()
    };
    let templates = layout.templates();
    let found = templates.into_iter().find(|text| !of(text).is_empty());
    let template = found.with_context(|| {
        tr!(
            "there is no Packer template of an image that the manifests name",
            "aucun modèle Packer ne porte une image que nomment les manifestes"
        )
    });
    let template = template.map_err(of_the_work)?;
    let images = of(template);
    build_and_import(ctx, apart, root, template, &images)?;
    Ok(images)
}

/// Builds by this template, which has to make these images, and gives them to the node.
pub fn build_and_import(
    ctx: &Context,
    apart: &mut Apart,
    root: &Path,
    template: &Text,
    images: &[String],
) -> Result<()> {
    apart.keep_tags(images.iter().map(String::as_str))?;
    let path = &template.path;
    let step = ctx.ui.step(format!("packer build {path}"));
    let program = ctx.tools.program(Tool::Packer)?;
    let (from, folder) = working_folder(root, template);
    let packer = |args: &[String]| {
        let cmd = packer::cmd(&program, args).envs(&apart.environment());
        ctx.exec.run(&cmd.cwd(&from))
    };
    packer(&["init".to_owned(), folder.clone()]).map_err(of_the_build)?;
    let mut args = vec!["build".to_owned(), "-color=false".to_owned()];
    let tag = images.iter().find_map(|image| image.rsplit_once(':'));
    if let (Some((_, tag)), true) = (tag, template.text.contains("variable \"image_tag\"")) {
        args.extend(["-var".to_owned(), format!("image_tag={tag}")]);
    }
    args.push(folder);
    packer(&args).map_err(of_the_build)?;
    step.done("✓");
    for image in images {
        let built = apart.image_id(image)?;
        let built =
            built.with_context(|| tr!("{image} was not built", "{image} n'a pas été construite"));
        built.map_err(of_the_work)?;
        let step = ctx.ui.step(format!("k3d image import {image}"));
        apart.import(image)?;
        step.done("✓");
    }
    Ok(())
}

/// One that takes too long downloads, as a rule.
fn of_the_build(error: anyhow::Error) -> anyhow::Error {
    match kind(&error) {
        Kind::Timeout => error,
        _ => of_the_work(error),
    }
}

/// The image that a template makes, as its last step names it.
pub fn made_by(template: &str) -> Option<String> {
    let name = filled(template, value_of(template, "repository")?);
    let tags = value_of(template, "tags").or_else(|| value_of(template, "tag"));
    let tag = tags.map(|tag| filled(template, tag));
    Some(format!("{name}:{}", tag.as_deref().unwrap_or("latest")))
}

/// The first word of an assignment: `tags = ["1.0"]` has `"1.0"`, quotes included.
fn value_of<'a>(template: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = template.lines().map(str::trim);
    let value = lines.find_map(|line| {
        let rest = line.strip_prefix(name)?.trim_start();
        rest.strip_prefix('=')
    })?;
    let value = value.trim().trim_start_matches('[').trim_end_matches(']');
    value.split(',').next().map(str::trim)
}

/// A literal without its quotes; a variable's default.
fn filled(template: &str, value: &str) -> String {
    let name = value
        .trim_matches('"')
        .trim_start_matches("${")
        .trim_end_matches('}');
    let Some(variable) = name.strip_prefix("var.") else {
        return value.trim_matches('"').to_owned();
    };
    let declared = template.split(&format!("variable \"{variable}\"")).nth(1);
    let default = declared.and_then(|rest| value_of(rest.split('}').next()?, "default"));
    default.unwrap_or_default().trim_matches('"').to_owned()
}

/// From where a template is built: paths in it that are relative start there. The
/// folder of the template, or the root, whichever has what it names.
pub fn working_folder(root: &Path, template: &Text) -> (PathBuf, String) {
    let beside = Path::new(&template.path).parent().unwrap_or(Path::new(""));
    let named: Vec<&str> = sources(&template.text);
    let has = |folder: &Path| named.iter().all(|source| folder.join(source).exists());
    let own = root.join(beside);
    if has(&own) || !has(root) {
        return (own, ".".to_owned());
    }
    let folder = beside.to_string_lossy().into_owned();
    let folder = if folder.is_empty() {
        ".".to_owned()
    } else {
        folder
    };
    (root.to_path_buf(), folder)
}

/// The relative paths that a template copies from.
pub fn sources(template: &str) -> Vec<&str> {
    let lines = template.lines().map(str::trim);
    let values = lines.filter_map(|line| {
        let rest = line
            .strip_prefix("source")?
            .trim_start()
            .strip_prefix('=')?;
        rest.trim().strip_prefix('"')?.split('"').next()
    });
    values
        .filter(|value| !value.contains("${") && !value.contains("github.com"))
        .collect()
}

/// Runs the playbook, the one of these that is there, or the first; its path.
pub fn play(
    ctx: &Context,
    apart: &Apart,
    root: &Path,
    layout: &Layout,
    usual: &[&str],
) -> Result<String> {
    let playbook = layout.playbook(usual);
    let playbook = playbook.with_context(|| tr!("there is none", "il n'y en a pas"));
    let playbook = playbook.map_err(of_the_work)?;
    ctx.ansible().ensure(&ctx.exec, &ctx.ui)?;
    let path = &playbook.path;
    let step = ctx.ui.step(format!("ansible-playbook {path}"));
    let venv = ctx.ansible();
    let program = venv.bin("ansible-playbook");
    let context = format!("k3d-{}", apart.name);
    let home = ctx.workspace.marking().join("ansible-home");
    let python = venv.python().to_string_lossy().into_owned();
    let cmd = ansible::playbook(program, &root.join(path), &context, None, None, &home)
        .args(["-e", &format!("cluster_name={}", apart.name)])
        .args(["-e", &format!("ansible_python_interpreter={python}")])
        .envs(&apart.environment())
        .cwd(root);
    ctx.exec.run(&cmd).map_err(of_the_work)?;
    step.done("✓");
    Ok(path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_built_from_where_its_sources_are() {
        let root = std::env::temp_dir().join(format!("xtask-sources-{}", std::process::id()));
        std::fs::create_dir_all(root.join("packer")).unwrap();
        std::fs::create_dir_all(root.join("app")).unwrap();
        let template = |path: &str, source: &str| Text {
            path: path.to_owned(),
            text: format!("  source  = \"github.com/hashicorp/docker\"\n  source = \"{source}\"\n"),
        };
        let of = |path: &str, source: &str| working_folder(&root, &template(path, source));
        assert_eq!(of("packer.pkr.hcl", "app/"), (root.clone(), ".".into()));
        assert_eq!(
            of("packer/x.pkr.hcl", "app/"),
            (root.clone(), "packer".into())
        );
        let inside = root.join("packer");
        assert_eq!(of("packer/x.pkr.hcl", "../app"), (inside, ".".into()));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_image_of_a_template_is_named_by_literals_or_defaults() {
        let literal = "repository = \"nginx-custom\"\n tags = [\"latest\", \"1\"]\n";
        assert_eq!(made_by(literal).as_deref(), Some("nginx-custom:latest"));
        let variable = "variable \"tag\" {\n  default = \"2.0\"\n}\nrepository = \"a/b\"\n\
                        tags = [var.tag]\n";
        assert_eq!(made_by(variable).as_deref(), Some("a/b:2.0"));
        let ours = include_str!("../../../../packer/nginx/nginx.pkr.hcl");
        assert_eq!(made_by(ours).as_deref(), Some("atelier/nginx:1.0"));
        assert_eq!(made_by("nothing"), None);
    }
}
