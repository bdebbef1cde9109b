//! What this engine does more simply than Kubernetes, since anything else would need
//! a cluster. Each result carries the list.
use terms::lang::{Both, both};

use crate::facts::Simplification;

pub const ALL: &[Simplification] = &[
    Simplification {
        what: both("starting", "démarrer"),
        here: both("a process starts at once", "un processus démarre aussitôt"),
        on_a_cluster: both(
            "a pod is scheduled, its image is looked for and its sandbox made before that",
            "auparavant un pod est ordonnancé, son image cherchée et son bac à sable créé",
        ),
    },
    Simplification {
        what: both("stopping", "arrêter"),
        here: both(
            "a replica is asked to end as soon as its connections are answered and closed",
            "une réplique est priée de s'arrêter dès que ses connexions ont eu leur réponse et \
             sont fermées",
        ),
        on_a_cluster: both(
            "its preStop hook runs to the end first, however idle it is",
            "son crochet preStop va d'abord à son terme, même si elle est inactive",
        ),
    },
    Simplification {
        what: Both::same("volumes"),
        here: both(
            "a folder, made and deleted at once",
            "un dossier, créé et supprimé aussitôt",
        ),
        on_a_cluster: both(
            "a provisioner makes and deletes it, in a pod of its own",
            "un provisionneur le crée et le supprime, dans un pod à part",
        ),
    },
    Simplification {
        what: both("noticing", "remarquer"),
        here: both(
            "the end of a process and a change of readiness reach the service within 20 ms",
            "la fin d'un processus et un changement de disponibilité parviennent au service en 20 \
             ms",
        ),
        on_a_cluster: both(
            "a kubelet looks at its containers once a second, and every node hears of it after \
             that",
            "un kubelet regarde ses conteneurs une fois par seconde, et chaque nœud ne l'apprend \
             qu'ensuite",
        ),
    },
    Simplification {
        what: both("limits", "limites"),
        here: both(
            "a process takes the memory and the processors that it wants",
            "un processus prend la mémoire et les processeurs qu'il veut",
        ),
        on_a_cluster: both(
            "beyond its memory limit it is killed",
            "au-delà de sa limite de mémoire il est tué",
        ),
    },
    Simplification {
        what: both("network", "réseau"),
        here: both(
            "requests stay on this machine",
            "les requêtes restent sur cette machine",
        ),
        on_a_cluster: both(
            "they cross the network of the nodes",
            "elles traversent le réseau des nœuds",
        ),
    },
    Simplification {
        what: both("isolation", "isolement"),
        here: both(
            "a process is this user's, and reaches whatever this user does",
            "un processus est à cet utilisateur, et atteint tout ce que celui-ci atteint",
        ),
        on_a_cluster: both(
            "policies, accounts and quotas bound what a pod reaches, asks for and takes",
            "politiques, comptes et quotas bornent ce qu'un pod atteint, demande et prend",
        ),
    },
];
