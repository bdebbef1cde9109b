use super::*;

fn job(extra: &str, script: &str) -> Text {
    let text = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: sqlite-restore\nspec:\n  template:\n    \
         spec:\n      containers:\n        - name: restore\n          image: alpine\n{extra}\
         \x20         args: [{script:?}]\n"
    );
    Text {
        path: "pra/50-job-restore.yaml".to_owned(),
        text,
    }
}

fn layout(texts: Vec<Text>) -> Layout {
    Layout {
        texts,
        ..Layout::default()
    }
}

fn chosen(text: Text) -> (Choice, Option<RestoreJob>) {
    let layout = layout(vec![text]);
    choice(&layout, &restore_jobs(&layout))
}

const NEWEST: &str = "cp $(ls -t /backup/*.db | head -1) /data/app.db";

#[test]
fn the_job_of_the_workshop_takes_no_point() {
    assert_eq!(chosen(job("", NEWEST)).0, Choice::Nothing);
}

#[test]
fn a_variable_is_found_among_others_and_filled() {
    let env = "          env:\n            - {name: DB_PATH, value: /data/app.db}\n            - \
               {name: BACKUP_DIR, value: /backup}\n            - {name: RESTORE_FORCE, value: \
               \"no\"}\n            - {name: RESTORE_FILE, value: \"\"}\n";
    let (choice, job) = chosen(job(env, "cp /backup/$RESTORE_FILE /data/app.db"));
    let Choice::Variable { name, .. } = &choice else {
        panic!("{choice:?}");
    };
    assert_eq!(name, "RESTORE_FILE");
    let job = job.unwrap();
    let written = spellings(&choice, &job, "app-17.db");
    assert_eq!(written, ["app-17.db", "/backup/app-17.db", "17"]);
    let asked = asking(&choice, &job, &written[0]).unwrap();
    assert_eq!(
        value_of(&asked, "RESTORE_FILE").as_deref(),
        Some("app-17.db")
    );
    assert_eq!(value_of(&asked, "BACKUP_DIR").as_deref(), Some("/backup"));
}

#[test]
fn our_own_job_takes_its_point_from_its_variable() {
    let text = include_str!("../../../../pra/50-job-restore.yaml").to_owned();
    let path = "pra/50-job-restore.yaml".to_owned();
    let (choice, _) = chosen(Text { path, text });
    let Choice::Variable { name, .. } = choice else {
        panic!("{choice:?}");
    };
    assert_eq!(name, "PRA_RESTORE_POINT");
}

#[test]
fn a_value_with_a_path_or_a_number_is_filled_in_kind() {
    for (value, first) in [
        ("/backup/app-1.db", "/backup/app-17.db"),
        ("1763719200", "17"),
    ] {
        let env = format!("          env:\n            - {{name: POINT, value: \"{value}\"}}\n");
        let (choice, job) = chosen(job(&env, "x"));
        assert_eq!(spellings(&choice, &job.unwrap(), "app-17.db")[0], first);
    }
}

#[test]
fn a_placeholder_is_filled_with_what_it_stands_for() {
    let cases = [
        (
            "cp /backup/__POINT__ /data/app.db",
            "__POINT__",
            "app-17.db",
        ),
        ("cp /backup/app-__TS__.db /data/app.db", "__TS__", "17"),
        (
            "cp /backup/app-1763719200.db /data/app.db",
            "app-1763719200.db",
            "app-17.db",
        ),
        (
            "cp /backup/<FICHIER> /data/app.db",
            "<FICHIER>",
            "app-17.db",
        ),
    ];
    for (script, text, written) in cases {
        let (choice, job) = chosen(job("", script));
        let Choice::Placeholder { text: found, .. } = &choice else {
            panic!("{choice:?}");
        };
        let job = job.unwrap();
        assert_eq!(found, text);
        let spelled = spellings(&choice, &job, "app-17.db");
        assert_eq!(spelled[0], written, "{script}");
        let asked = asking(&choice, &job, &spelled[0]).unwrap().to_string();
        assert!(asked.contains("/backup/app-17.db"), "{asked}");
    }
}

#[test]
fn a_script_is_named_and_not_run() {
    let script = Text {
        path: "restore.sh".to_owned(),
        text: "read BACKUP; sed ... | kubectl apply -f pra/ # restore".to_owned(),
    };
    let layout = layout(vec![job("", NEWEST), script]);
    let files = vec!["restore.sh".to_owned()];
    assert_eq!(
        choice(&layout, &restore_jobs(&layout)).0,
        Choice::ByHand { files }
    );
}

#[test]
fn a_procedure_by_hand_is_named_and_the_workshops_own_text_is_none() {
    let with = |text: &str| {
        let told = Text {
            path: "README.md".to_owned(),
            text: text.to_owned(),
        };
        let layout = layout(vec![job("", NEWEST), told]);
        choice(&layout, &restore_jobs(&layout)).0
    };
    let files = vec!["README.md".to_owned()];
    assert_eq!(
        with("kubectl run … cp /backup/app-1.db /data/app.db"),
        Choice::ByHand { files }
    );
    assert_eq!(
        with("kubectl apply -f pra/50-job-restore.yaml"),
        Choice::Nothing
    );
}

#[test]
fn what_removes_the_finished_job_is_told_from_the_disaster() {
    let of = |line: &str| {
        let told = Text {
            path: "RUNBOOK.md".to_owned(),
            text: format!("# Runbook\n{line}\n"),
        };
        let layout = layout(vec![job("", NEWEST), told]);
        let jobs = restore_jobs(&layout);
        again(&layout, &jobs[0]).is_some()
    };
    assert!(of(
        "kubectl -n pra delete job sqlite-restore --ignore-not-found"
    ));
    assert!(of("kubectl -n pra delete job/sqlite-restore"));
    assert!(of("kubectl delete -f pra/50-job-restore.yaml"));
    assert!(of("kubectl replace --force -f pra/50-job-restore.yaml"));
    assert!(!of("kubectl -n pra delete job --all"));
    assert!(!of("kubectl -n pra delete job sqlite-backup"));
    assert!(!of("kubectl apply -f pra/50-job-restore.yaml"));
    assert!(!of("delete the job sqlite-restore"));
}
