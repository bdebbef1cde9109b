//! The waits by name: what is waited for, and what to type where it was in vain.

use std::time::Duration;

use terms::lang::{Both, both};
use terms::tr;

use crate::failure::Failure;

/// A named wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// What is waited for, as in "waiting for …".
    pub what: Both,
    pub limit: Duration,
    pub every: Duration,
    /// The command to type when the wait ran out.
    pub next: Both,
}

const fn wait(what: Both, seconds: u64, every_ms: u64, next: Both) -> Wait {
    Wait {
        what,
        limit: Duration::from_secs(seconds),
        every: Duration::from_millis(every_ms),
        next,
    }
}

pub const SUPERVISOR_UP: Wait = wait(
    both("the supervisor to answer", "la réponse du superviseur"),
    10,
    10,
    Both::same("cargo xtask local stop && cargo xtask setup"),
);
pub const SUPERVISOR_DOWN: Wait = wait(
    both("the supervisor to end", "la fin du superviseur"),
    60,
    20,
    Both::same("cargo xtask status"),
);
pub const STRAY_GONE: Wait = wait(
    both(
        "the supervisor of a folder that is gone to end",
        "la fin du superviseur d'un dossier disparu",
    ),
    45,
    20,
    both(
        "cargo xtask local stop, which names it",
        "cargo xtask local stop, qui le nomme",
    ),
);
pub const ORPHANS_GONE: Wait = wait(
    both("left-over processes to end", "la fin de processus restants"),
    15,
    20,
    Both::same("cargo xtask status"),
);
pub const LIVE_UP: Wait = wait(
    both("the page of the run to be served", "la page de l'exécution"),
    120,
    20,
    Both::same("tail .lab/logs/live.log"),
);
pub const WATCH_UP: Wait = wait(
    both("Prometheus to be ready", "Prometheus prêt"),
    60,
    100,
    Both::same("tail .lab/logs/pods/prometheus.log"),
);
pub const WATCH_SEES: Wait = wait(
    both(
        "Prometheus to have asked every replica",
        "Prometheus, qui interroge chaque réplique",
    ),
    60,
    500,
    Both::same("cargo xtask status"),
);
pub const WATCH_DOWN: Wait = wait(
    both("Prometheus to end", "l'arrêt de Prometheus"),
    30,
    50,
    Both::same("cargo xtask status"),
);
pub const ALERT_RESOLVED: Wait = wait(
    both("the alert to be resolved", "la fin de l'alerte"),
    90,
    500,
    Both::same("cargo xtask status"),
);
pub const APP_READY: Wait = wait(
    both("the application to be ready", "l'application prête"),
    90,
    15,
    Both::same("cargo xtask status"),
);
pub const APP_SERVES: Wait = wait(
    both(
        "a verified answer through the URL",
        "une réponse vérifiée par l'URL",
    ),
    90,
    5,
    Both::same("cargo xtask status"),
);
pub const APP_STOPPED: Wait = wait(
    both("the application to stop", "l'arrêt de l'application"),
    60,
    10,
    Both::same("cargo xtask status"),
);
pub const FAILURE_NOTICED: Wait = wait(
    both(
        "the client to notice the outage",
        "que le client remarque la panne",
    ),
    30,
    2,
    Both::same("cargo xtask status"),
);
pub const VOLUME_FULL: Wait = wait(
    both(
        "a write to be refused by the full volume",
        "le refus d'une écriture par le volume plein",
    ),
    180,
    2,
    Both::same("cargo xtask status"),
);
pub const PODS_EXIST: Wait = wait(
    both(
        "volume and replicas to exist",
        "l'existence du volume et des répliques",
    ),
    60,
    5,
    Both::same("cargo xtask status"),
);
pub const RESTORED_BY_ITSELF: Wait = wait(
    both(
        "the servers to restore by themselves",
        "la restauration par les serveurs eux-mêmes",
    ),
    300,
    30,
    Both::same("cargo xtask status"),
);
pub const RESTORE_BEGUN: Wait = wait(
    both("the restore to begin", "le début de la restauration"),
    60,
    2,
    Both::same("cargo xtask status"),
);
pub const REPLICA_BACK: Wait = wait(
    both(
        "the replica to be replaced",
        "le remplacement de la réplique",
    ),
    90,
    15,
    Both::same("cargo xtask status"),
);
pub const JOB_DONE: Wait = wait(
    both("the job to end", "la fin du job"),
    330,
    10,
    Both::same("cargo xtask status"),
);
pub const JOBS_GONE: Wait = wait(
    both("the jobs to end", "la fin des jobs"),
    60,
    10,
    Both::same("cargo xtask status"),
);
pub const SUPERVISOR_ANSWERS: Wait = wait(
    both("the supervisor's answer", "la réponse du superviseur"),
    60,
    10,
    both(
        "cargo xtask local stop, then cargo xtask setup",
        "cargo xtask local stop, puis cargo xtask setup",
    ),
);
/// For what it has at hand.
pub const SUPERVISOR_TELLS: Wait = Wait {
    limit: Duration::from_secs(10),
    ..SUPERVISOR_ANSWERS
};
pub const END_HEARD: Wait = wait(
    both("the supervisor to hear", "l'attention du superviseur"),
    5,
    10,
    Both::same("cargo xtask status"),
);
pub const SUPERVISOR_LOCK: Wait = wait(
    both("the supervisor's lock", "le verrou du superviseur"),
    1,
    5,
    Both::same("cargo xtask status"),
);
pub const DOCKER_UP: Wait = wait(
    both("Docker to answer", "la réponse de Docker"),
    60,
    500,
    Both::same("docker info"),
);
pub const ADDRESS: Wait = wait(
    both("the address of the service", "l'adresse du service"),
    180,
    1000,
    Both::same("cargo xtask status"),
);
pub const VOLUMES_GONE: Wait = wait(
    both(
        "the cluster to remove the lab's volumes",
        "la suppression des volumes du lab par le cluster",
    ),
    180,
    500,
    both(
        "kubectl get persistentvolumes, then cargo xtask teardown again",
        "kubectl get persistentvolumes, puis de nouveau cargo xtask teardown",
    ),
);
pub const API_UP: Wait = wait(
    both("the cluster to answer", "la réponse du cluster"),
    120,
    300,
    Both::same("cargo xtask setup"),
);
pub const FORWARD_UP: Wait = wait(
    both("the forward to begin", "le début de la redirection"),
    15,
    50,
    Both::same("cargo xtask forward"),
);
pub const FORWARD_DOWN: Wait = wait(
    both("the forward to end", "la fin de la redirection"),
    15,
    20,
    Both::same("cargo xtask status"),
);
pub const JOB_PROGRESS: Wait = wait(
    both("the job to end", "la fin du job"),
    330,
    60,
    Both::same("cargo xtask status"),
);
pub const SUCCEEDED: Wait = wait(
    both(
        "another instance of the database to take writes",
        "qu'une autre instance de la base accepte les écritures",
    ),
    300,
    300,
    Both::same("cargo xtask status"),
);
pub const WHOLE_AGAIN: Wait = wait(
    both(
        "every part of the lab to be there again",
        "le retour de toutes les parties du lab",
    ),
    600,
    500,
    Both::same("cargo xtask status"),
);
pub const NODES_READY: Wait = wait(
    both("every node to be ready", "tous les nœuds prêts"),
    180,
    200,
    Both::same("kubectl get nodes"),
);
pub const PAGE_SHOWN: Wait = wait(
    both("the new page to be served", "la nouvelle page servie"),
    120,
    100,
    Both::same("cargo xtask --lab image status"),
);
pub const SCHEDULED_BACKUP: Wait = wait(
    both(
        "a backup by the schedule itself",
        "une sauvegarde par le calendrier lui-même",
    ),
    100,
    500,
    Both::same("kubectl -n pra get cronjobs,jobs,pods"),
);
pub const MARKED_JOB: Wait = wait(
    both("the job to end", "la fin du job"),
    150,
    300,
    Both::same("kubectl -n pra get jobs,pods"),
);
pub const MARKED_PAGE: Wait = wait(
    both("the changed page", "la page modifiée"),
    20,
    500,
    Both::same("kubectl get pods -A"),
);
pub const NEXT_SECOND: Wait = wait(
    both("the next second", "la seconde suivante"),
    10,
    100,
    Both::same("date"),
);
pub const MARKED_APP: Wait = wait(
    both(
        "the application that is marked to answer",
        "la réponse de l'application notée",
    ),
    90,
    200,
    Both::same("kubectl -n pra get pods"),
);
pub const STORE_UP: Wait = wait(
    both(
        "the store for copies to answer",
        "la réponse du stockage des copies",
    ),
    120,
    100,
    Both::same("cargo xtask status"),
);
pub const COPY_TAKEN: Wait = wait(
    both(
        "the copy to be taken at the other end",
        "la prise de la copie à l'autre bout",
    ),
    900,
    10,
    Both::same("cargo xtask export FILE"),
);
pub const ANSWER: Wait = wait(
    both("an answer", "une réponse"),
    600,
    20,
    both(
        "add --yes to the same command",
        "ajoutez --yes à la même commande",
    ),
);
pub const READER: Wait = wait(
    both("the reader to go on", "le lecteur"),
    86_400,
    20,
    both("run the same command again", "relancez la même commande"),
);
pub const GAMEDAY_CLIENT_UP: Wait = wait(
    both(
        "the client of the game day to write",
        "l'écriture du client du game day",
    ),
    60,
    50,
    Both::same("cargo xtask gameday abort"),
);
pub const GAMEDAY_CLIENT_DOWN: Wait = wait(
    both(
        "the client of the game day to end",
        "la fin du client du game day",
    ),
    60,
    20,
    Both::same("cargo xtask gameday status"),
);
pub const GAMEDAY_SYMPTOMS: Wait = wait(
    both("users to notice", "que les utilisateurs le remarquent"),
    20,
    100,
    Both::same("cargo xtask gameday status"),
);
pub const GAMEDAY_SERVED: Wait = wait(
    both(
        "writes to be accepted through the URL",
        "l'acceptation des écritures par l'URL",
    ),
    20,
    200,
    Both::same("cargo xtask gameday status"),
);
pub const LAB_LOCK: Wait = wait(
    both("the other command to finish", "la fin de l'autre commande"),
    600,
    100,
    Both::same("cargo xtask status"),
);

impl Wait {
    /// The error of a wait that is over.
    pub fn ran_out(&self) -> anyhow::Error {
        let limit = self.limit.as_secs();
        Failure::timeout(tr!(
            "waited {limit} s for {what}, in vain",
            "{limit} s d'attente en vain : {what}",
            what = self.what,
        ))
        .next(self.next)
        .into()
    }
}
pub const PROMOTED: Wait = wait(
    both(
        "the operator to promote another instance",
        "la promotion d'une autre instance par l'opérateur",
    ),
    180,
    200,
    Both::same("cargo xtask --lab ha status"),
);
