//! The second workshop's rules: does it run, is it as announced, is it automatic.

use terms::tr;

use super::words::seconds;
use crate::marking::page_facts::{Access, PageFacts};
use crate::marking::sheet::{Item, Section, Tally, for_a_person, not_tried};

/// One rule: name, title, and the points of what was seen.
struct Rule(&'static str, String, f64, Tally);

/// The parts of the scheme that a machine tries.
pub fn lab(facts: &PageFacts) -> Vec<Section> {
    let judged = |rules: Vec<Rule>| -> Vec<Item> {
        rules.into_iter().map(|rule| item(facts, rule)).collect()
    };
    let mut automation = judged(vec![by_tools(facts), changed(facts)]);
    automation.push(entry(facts));
    let section = |name, title, items| Section {
        name,
        title,
        of: 4.0,
        items,
    };
    vec![
        section(
            "runs",
            tr!("Runs without error", "S'exécute sans erreur"),
            judged(vec![
                built(facts),
                deployed(facts),
                ready(facts),
                again(facts),
            ]),
        ),
        section(
            "announced",
            tr!("Works as announced", "Fonctionne comme annoncé"),
            judged(vec![
                page(facts),
                own(facts),
                replaced(facts),
                access(facts),
            ]),
        ),
        section(
            "automation",
            tr!("Automation", "Automatisation"),
            automation,
        ),
    ]
}

fn item(facts: &PageFacts, Rule(name, title, of, tally): Rule) -> Item {
    let claimed = facts.access.as_ref().and_then(claimed);
    let stopped = facts.stopped.as_ref().filter(|_| !is_reached(facts, name));
    match (facts.untried.as_ref().or(stopped), claimed) {
        (Some(why), _) => not_tried(name, title, of, why.clone()),
        (None, Some(why)) if name == "access" => not_tried(name, title, of, why),
        _ => tally.item(name, title),
    }
}

/// What a text says of the way to the page, which nobody saw here.
fn claimed(access: &Access) -> Option<String> {
    if access.survived {
        return None;
    }
    let mapped = access.mapped_by.as_ref().map(|text| {
        tr!(
            "{text} makes the cluster with a port for the page, and the cluster of the marking \
             has none: make it so, delete the pod, ask for the page",
            "{text} crée le cluster avec un port pour la page, et le cluster de la notation n'en \
             a pas : créez-le ainsi, supprimez le pod, redemandez la page"
        )
    });
    let kept = access.kept_by.as_ref().map(|script| {
        tr!(
            "{script} seems to start the forward again, and scripts are not run here: start \
             it, delete the pod, ask for the page",
            "{script} semble relancer la redirection, et les scripts ne sont pas exécutés \
             ici : lancez-le, supprimez le pod, redemandez la page"
        )
    });
    mapped.or(kept)
}

/// Whether there is a fact for what this rule judges.
fn is_reached(facts: &PageFacts, name: &str) -> bool {
    match name {
        "page-back" | "access" => facts.access.is_some(),
        "again" => facts.again.is_some(),
        "page-changes" => facts.changed.is_some(),
        _ => true,
    }
}

fn rule(name: &'static str, title: String, of: f64, earned: bool, said: String) -> Rule {
    Rule(name, title, of, Tally::of(of).part(earned, of, said))
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "–".to_owned())
}

fn built(facts: &PageFacts) -> Rule {
    let title = tr!("Packer builds the image", "Packer construit l'image");
    let said = match (&facts.no_image, &facts.image) {
        (None, Some(image)) => image.clone(),
        (why, _) => or_dash(why.as_ref()),
    };
    rule(
        "image-built",
        title,
        1.0,
        facts.no_image.is_none() && facts.image.is_some(),
        said,
    )
}

fn deployed(facts: &PageFacts) -> Rule {
    let title = tr!("Ansible deploys it", "Ansible le déploie");
    let earned = facts.playbook.is_some() && facts.no_playbook.is_none();
    let said = match earned {
        true => or_dash(facts.playbook.as_ref()),
        false => or_dash(facts.no_playbook.as_ref()),
    };
    rule("deployed", title, 1.5, earned, said)
}

fn ready(facts: &PageFacts) -> Rule {
    let title = tr!("its pods become ready", "ses pods deviennent prêts");
    let said = facts
        .not_ready
        .clone()
        .unwrap_or_else(|| tr!("ready", "prêts"));
    rule(
        "ready",
        title,
        1.0,
        facts.not_ready.is_none() && facts.image.is_some(),
        said,
    )
}

fn again(facts: &PageFacts) -> Rule {
    let title = tr!(
        "a second run goes as well",
        "une seconde exécution se passe aussi bien"
    );
    let said = match facts.again {
        Some(true) => tr!(
            "the playbook ran again",
            "le playbook s'est exécuté à nouveau"
        ),
        Some(false) => tr!("the second run failed", "la seconde exécution a échoué"),
        None => tr!("there was no first one", "il n'y en a pas eu de première"),
    };
    rule("again", title, 0.5, facts.again == Some(true), said)
}

fn page(facts: &PageFacts) -> Rule {
    let title = tr!("a page is served", "une page est servie");
    let said = match facts.served {
        true => tr!(
            "it answers through its service",
            "elle répond par son service"
        ),
        false => or_dash(facts.instead.as_ref()),
    };
    rule("page-served", title, 1.0, facts.served, said)
}

fn own(facts: &PageFacts) -> Rule {
    let title = tr!("it is the page of the repository", "c'est la page du dépôt");
    let source = or_dash(facts.source.as_ref());
    let said = match facts.own {
        true => tr!("exactly {source}", "exactement {source}"),
        false => tr!(
            "{source} is not what is served: {instead}",
            "{source} n'est pas ce qui est servi : {instead}",
            instead = or_dash(facts.instead.as_ref())
        ),
    };
    rule("page-own", title, 1.5, facts.served && facts.own, said)
}

fn replaced(facts: &PageFacts) -> Rule {
    let title = tr!(
        "it is back after its pod is gone",
        "elle revient après la perte de son pod"
    );
    let said = match facts.back {
        true => tr!(
            "a pod was deleted, and replaced",
            "un pod a été supprimé, puis remplacé"
        ),
        false => tr!("it did not come back", "elle n'est pas revenue"),
    };
    rule("page-back", title, 0.5, facts.back, said)
}

fn access(facts: &PageFacts) -> Rule {
    let title = tr!(
        "users reach it then without anybody typing",
        "les utilisateurs la retrouvent alors sans que personne ne tape rien"
    );
    let Some(access) = &facts.access else {
        let said = tr!("it could not come to that", "on n'a pas pu en arriver là");
        return rule("access", title, 1.0, false, said);
    };
    let said = match access.survived {
        true => tr!(
            "the forward that was open before still leads to it",
            "la redirection ouverte avant y mène encore"
        ),
        false => tr!(
            "the only way is a `kubectl port-forward`, which died with its pod: somebody has to \
             type it again",
            "le seul chemin est un `kubectl port-forward`, mort avec son pod : quelqu'un doit le \
             retaper"
        ),
    };
    rule("access", title, 1.0, access.survived, said)
}

fn by_tools(facts: &PageFacts) -> Rule {
    let title = tr!(
        "image and objects come from Packer and Ansible, nothing by hand",
        "l'image et les objets viennent de Packer et d'Ansible, rien à la main"
    );
    let packer = facts.no_image.is_none() && facts.image.is_some();
    let ansible = facts.playbook.is_some() && facts.no_playbook.is_none();
    let tally = Tally::of(1.0)
        .part(packer, 0.5, or_dash(facts.template.as_ref()))
        .part(ansible, 0.5, or_dash(facts.playbook.as_ref()));
    Rule("by-tools", title, 1.0, tally)
}

fn changed(facts: &PageFacts) -> Rule {
    let title = tr!(
        "a changed page arrives by the same way",
        "une page modifiée arrive par le même chemin"
    );
    let Some(changed) = &facts.changed else {
        let said = tr!("it could not come to that", "on n'a pas pu en arriver là");
        return rule("page-changes", title, 2.0, false, said);
    };
    let time = seconds(changed.seconds);
    let said = match (changed.shown, &changed.restarted_by, &changed.failed) {
        (_, _, Some(why)) => why.clone(),
        (true, Some(text), _) => tr!(
            "built, imported and deployed again, and the pods restarted as {text} says: shown \
             after {time} s",
            "reconstruite, importée et déployée, et les pods relancés comme le dit {text} : \
             visible après {time} s"
        ),
        (true, None, _) => tr!(
            "built, imported and deployed again: shown after {time} s",
            "reconstruite, importée et déployée : visible après {time} s"
        ),
        (false, ..) => tr!(
            "built, imported and deployed again, and the old page is still served (the same tag, \
             and nothing that replaces the pods)",
            "reconstruite, importée et déployée, et l'ancienne page est toujours servie (la même \
             étiquette, et rien qui remplace les pods)"
        ),
    };
    rule("page-changes", title, 2.0, changed.shown, said)
}

fn entry(facts: &PageFacts) -> Item {
    let found = match facts.entries.is_empty() {
        true => vec![tr!("neither Makefile nor script", "ni Makefile ni script")],
        false => facts.entries.clone(),
    };
    let nothing = facts.entries.is_empty().then_some(0.0);
    for_a_person(
        "entry",
        tr!("one command does all of it", "une seule commande fait tout"),
        1.0,
        tr!(
            "from a fresh Codespace to the page by one command, which can be typed again (scripts \
             are not run here)",
            "d'un Codespace neuf à la page par une seule commande, que l'on peut retaper (les \
             scripts ne sont pas exécutés ici)"
        ),
        found,
        nothing,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::page_facts::Changed;
    use crate::marking::sheet::{Total, Verdict, total, untried};

    fn right() -> PageFacts {
        PageFacts {
            template: Some("packer/nginx.pkr.hcl".to_owned()),
            image: Some("nginx-custom:latest".to_owned()),
            playbook: Some("ansible/deploy.yml".to_owned()),
            again: Some(true),
            source: Some("index.html".to_owned()),
            served: true,
            own: true,
            back: true,
            access: Some(Access {
                survived: true,
                ..Access::default()
            }),
            changed: Some(Changed {
                shown: true,
                ..Changed::default()
            }),
            ..PageFacts::default()
        }
    }

    fn points(facts: &PageFacts) -> f64 {
        total(&lab(facts)).points
    }

    #[test]
    fn a_work_that_does_all_of_it_has_all_technical_points() {
        let all = Total {
            points: 11.0,
            of: 11.0,
        };
        assert_eq!(total(&lab(&right())), all);
        for part in lab(&right()) {
            let sum: f64 = part.items.iter().map(|item| item.of).sum();
            assert_eq!(sum, part.of, "{}", part.name);
        }
    }

    #[test]
    fn a_forward_that_dies_loses_one() {
        let mut facts = right();
        facts.access = Some(Access::default());
        assert_eq!(points(&facts), 10.0);
        // What a script or a port of another cluster would do about it is not known before
        // somebody tries: no point for it, and none lost.
        let claims = [
            Access {
                kept_by: Some("forward.sh".to_owned()),
                ..Access::default()
            },
            Access {
                mapped_by: Some("README.md".to_owned()),
                ..Access::default()
            },
        ];
        for claim in claims {
            facts.access = Some(claim);
            assert_eq!(untried(&lab(&facts)), 1.0);
            assert_eq!(points(&facts), 10.0);
        }
    }

    #[test]
    fn a_page_that_does_not_change_loses_two() {
        let mut facts = right();
        facts.changed = Some(Changed::default());
        assert_eq!(points(&facts), 9.0);
    }

    #[test]
    fn the_page_of_somebody_else_is_served_and_not_ones_own() {
        let mut facts = right();
        facts.own = false;
        facts.instead = Some("Welcome to nginx!".to_owned());
        assert_eq!(points(&facts), 9.5);
    }

    #[test]
    fn objects_that_were_applied_by_hand_are_not_ansibles() {
        let mut facts = right();
        facts.no_playbook = Some("it failed".to_owned());
        facts.again = None;
        assert_eq!(points(&facts), 8.5);
    }

    #[test]
    fn what_was_not_reached_is_not_held_against_a_page_that_was_ready() {
        let facts = PageFacts {
            stopped: Some("no forward".to_owned()),
            again: None,
            back: false,
            access: None,
            changed: None,
            ..right()
        };
        assert_eq!(untried(&lab(&facts)), 4.0);
        assert_eq!(points(&facts), 7.0);
    }

    #[test]
    fn nothing_is_held_against_a_work_that_could_not_be_tried() {
        let facts = PageFacts {
            untried: Some("no Docker".to_owned()),
            ..PageFacts::default()
        };
        let sections = lab(&facts);
        assert_eq!(untried(&sections), 11.0);
        let items = sections.iter().flat_map(|part| &part.items);
        let judged = |item: &&Item| matches!(item.verdict, Verdict::Machine { .. });
        assert_eq!(items.filter(judged).count(), 0);
    }
}
