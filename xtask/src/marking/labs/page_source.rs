//! Where a work of the second workshop has its page, its template, and what starts it.

use std::path::Path;

use super::building::{sources, working_folder};
use crate::marking::repository::layout::{Layout, Text};

/// The template that puts a page into an image.
pub fn template(layout: &Layout) -> Option<&Text> {
    let templates = layout.templates();
    let with_page = templates
        .iter()
        .find(|text| text.text.contains("index.html"));
    with_page.or_else(|| templates.first()).copied()
}

/// The page's file: what the template copies, or the only one.
pub fn source(root: &Path, layout: &Layout, template: Option<&Text>) -> Option<String> {
    let named = template.and_then(|template| {
        let (from, _) = working_folder(root, template);
        let all = sources(&template.text).into_iter();
        let page = all
            .map(|path| from.join(path))
            .find(|path| path.ends_with("index.html"))?;
        let page = page.canonicalize().ok()?;
        let inside = page.strip_prefix(root.canonicalize().ok()?).ok()?;
        Some(inside.to_string_lossy().into_owned())
    });
    let beside = template.map(|template| {
        let file = Path::new(&template.path).with_file_name("index.html");
        file.to_string_lossy().into_owned()
    });
    let beside = beside.filter(|path| layout.files.contains(path));
    let any = layout
        .files
        .iter()
        .find(|path| path.ends_with("index.html"));
    named.or(beside).or_else(|| any.cloned())
}

/// What a person would start.
pub fn entries(layout: &Layout) -> Vec<String> {
    let scripts = layout.scripts().map(|script| {
        let target = |line: &&str| !line.starts_with(['\t', ' ', '.', '#']) && line.contains(':');
        let targets = script
            .text
            .lines()
            .filter(target)
            .filter_map(|line| line.split(':').next());
        match script.path.ends_with("Makefile") {
            true => format!(
                "{}: {}",
                script.path,
                targets.collect::<Vec<_>>().join(", ")
            ),
            false => script.path.clone(),
        }
    });
    let runner = layout.files.iter().any(|file| file == "xtask/src/main.rs");
    let runner = runner.then(|| "cargo xtask --lab image setup".to_owned());
    scripts.take(8).chain(runner).collect()
}
