//! Three hints for each fault: where to look, what it is, what to type.

use terms::FaultName;
use terms::lang::{Both, both};

/// The hints of all faults of a game, in the order in which they are sold.
pub fn of(faults: &[FaultName]) -> Vec<Both> {
    faults.iter().flat_map(|fault| of_one(*fault)).collect()
}

fn of_one(fault: FaultName) -> [Both; 3] {
    match fault {
        FaultName::Stopped => STOPPED,
        FaultName::VolumeLoss => VOLUME_LOSS,
        FaultName::DatabaseCorrupt => CORRUPT,
        FaultName::BadDelete => BAD_DELETE,
        FaultName::ForeignDelete => FOREIGN_DELETE,
        FaultName::BackupVolumeLoss => BACKUP_VOLUME_LOSS,
        FaultName::DataFull => DATA_FULL,
        FaultName::BackupFull => BACKUP_FULL,
        FaultName::NodeLoss => NODE_LOSS,
        FaultName::BackupPoisoned => BACKUP_POISONED,
    }
}

const STOPPED: [Both; 3] = [
    both(
        "Who answers the requests? Look at the replicas: cargo xtask status, or kubectl -n pra get \
         deployment,pods.",
        "Qui répond aux requêtes ? Regardez les répliques : cargo xtask status, ou kubectl -n pra \
         get deployment,pods.",
    ),
    both(
        "No replica is asked for: the deployment was scaled to zero.",
        "Aucune réplique n'est demandée : le déploiement a été réduit à zéro.",
    ),
    both(
        "cargo xtask setup, or kubectl -n pra scale deployment flask --replicas=2",
        "cargo xtask setup, ou kubectl -n pra scale deployment flask --replicas=2",
    ),
];

const VOLUME_LOSS: [Both; 3] = [
    both(
        "What does the application stand on? Look at the volumes: cargo xtask status, or kubectl \
         -n pra get pvc.",
        "Sur quoi repose l'application ? Regardez les volumes : cargo xtask status, ou kubectl -n \
         pra get pvc.",
    ),
    both(
        "pra-data is gone, with the database; pra-backup is still there, and so are the restore \
         points. Backups are suspended.",
        "pra-data a disparu, avec la base de données ; pra-backup est toujours là, et les points \
         de restauration aussi. Les sauvegardes sont suspendues.",
    ),
    both(
        "cargo xtask restore latest, then resume the backups: cargo xtask local resume, or kubectl \
         -n pra patch cronjob sqlite-backup -p '{\"spec\":{\"suspend\":false}}'",
        "cargo xtask restore latest, puis reprenez les sauvegardes : cargo xtask local resume, ou \
         kubectl -n pra patch cronjob sqlite-backup -p '{\"spec\":{\"suspend\":false}}'",
    ),
];

const CORRUPT: [Both; 3] = [
    both(
        "The replicas run. What does the application say of its database? cargo xtask logs, cargo \
         xtask status, or the page /status.",
        "Les répliques tournent. Que dit l'application de sa base de données ? cargo xtask logs, \
         cargo xtask status, ou la page /status.",
    ),
    both(
        "The database file is damaged in place. Restore points and journal are not.",
        "Le fichier de la base est endommagé sur place. Les points de restauration et le journal \
         ne le sont pas.",
    ),
    Both::same("cargo xtask restore latest"),
];

const BAD_DELETE: [Both; 3] = [
    both(
        "Nothing fails, and yet something is missing. What was done to the data? cargo xtask \
         restore --log --largest.",
        "Rien n'échoue, et pourtant il manque quelque chose. Qu'a-t-on fait aux données ? cargo \
         xtask restore --log --largest.",
    ),
    both(
        "One transaction deleted every row. The journal has it, and the moment before it; the \
         latest moment would bring the deletion back too.",
        "Une transaction a supprimé toutes les lignes. Le journal la contient, ainsi que l'instant \
         qui la précède ; le dernier instant ramènerait aussi la suppression.",
    ),
    both(
        "cargo xtask restore --log --largest, then cargo xtask restore --to-before with the number \
         of the transaction that deleted so many (without the journal: cargo xtask restore with a \
         point from before)",
        "cargo xtask restore --log --largest, puis cargo xtask restore --to-before avec le numéro \
         de la transaction qui en a tant supprimé (sans le journal : cargo xtask restore avec un \
         point antérieur)",
    ),
];

const FOREIGN_DELETE: [Both; 3] = [
    both(
        "The application refuses to write: read its answer, and cargo xtask status.",
        "L'application refuse d'écrire : lisez sa réponse, et cargo xtask status.",
    ),
    both(
        "Somebody wrote into the database past the application; the journal still has every row.",
        "Quelqu'un a écrit dans la base à l'insu de l'application ; le journal contient encore \
         toutes les lignes.",
    ),
    both(
        "cargo xtask restore latest --plan, which says what differs, then cargo xtask restore \
         latest",
        "cargo xtask restore latest --plan, qui dit ce qui diffère, puis cargo xtask restore latest",
    ),
];

const BACKUP_VOLUME_LOSS: [Both; 3] = [
    both(
        "What does the application stand on? Look at the volumes and the restore points: cargo \
         xtask status, cargo xtask restore --list.",
        "Sur quoi repose l'application ? Regardez les volumes et les points de restauration : \
         cargo xtask status, cargo xtask restore --list.",
    ),
    both(
        "pra-backup is gone, with all restore points and the journal. The database is whole: \
         restore nothing, rebuild its protection.",
        "pra-backup a disparu, avec tous les points de restauration et le journal. La base est \
         intacte : ne restaurez rien, reconstruisez sa protection.",
    ),
    both(
        "cargo xtask backup --new-volume, then resume the backups: cargo xtask local resume, or \
         kubectl -n pra patch cronjob sqlite-backup -p '{\"spec\":{\"suspend\":false}}'",
        "cargo xtask backup --new-volume, puis reprenez les sauvegardes : cargo xtask local \
         resume, ou kubectl -n pra patch cronjob sqlite-backup -p '{\"spec\":{\"suspend\":false}}'",
    ),
];

const DATA_FULL: [Both; 3] = [
    both(
        "Reading works, writing does not: what does writing need? cargo xtask status.",
        "Lire fonctionne, écrire non : de quoi l'écriture a-t-elle besoin ? cargo xtask status.",
    ),
    both(
        "pra-data is full: something lies there that does not belong there. Nothing has to be \
         restored.",
        "pra-data est plein : il s'y trouve quelque chose qui n'a rien à y faire. Rien n'est à \
         restaurer.",
    ),
    both(
        "rm .lab/volumes/pra-data/ballast on the local engine; kubectl -n pra exec deploy/flask -- \
         rm /data/ballast on a cluster",
        "rm .lab/volumes/pra-data/ballast sur le moteur local ; kubectl -n pra exec deploy/flask \
         -- rm /data/ballast sur un cluster",
    ),
];

const BACKUP_FULL: [Both; 3] = [
    both(
        "Are there still new restore points? cargo xtask backup says why not, cargo xtask status \
         how full the volumes are.",
        "Y a-t-il encore de nouveaux points de restauration ? cargo xtask backup dit pourquoi non, \
         cargo xtask status à quel point les volumes sont remplis.",
    ),
    both(
        "pra-backup is full: something lies there that does not belong there, and no backup finds \
         room.",
        "pra-backup est plein : il s'y trouve quelque chose qui n'a rien à y faire, et aucune \
         sauvegarde ne trouve de place.",
    ),
    both(
        "rm .lab/volumes/pra-backup/ballast on the local engine; kubectl -n pra exec deploy/flask \
         -- rm /backup/ballast on a cluster",
        "rm .lab/volumes/pra-backup/ballast sur le moteur local ; kubectl -n pra exec deploy/flask \
         -- rm /backup/ballast sur un cluster",
    ),
];

const NODE_LOSS: [Both; 3] = [
    both(
        "On what do the pods run? kubectl get nodes, docker ps --all.",
        "Sur quoi tournent les pods ? kubectl get nodes, docker ps --all.",
    ),
    both(
        "The node that holds both volumes is stopped, and no other one can run the pods. Its disk \
         is whole: nothing has to be restored.",
        "Le nœud qui porte les deux volumes est arrêté, et aucun autre ne peut exécuter les pods. \
         Son disque est intact : rien n'est à restaurer.",
    ),
    both(
        "k3d node start with the name that k3d node list shows as exited or not running",
        "k3d node start avec le nom que k3d node list montre à l'arrêt",
    ),
];

const BACKUP_POISONED: [Both; 3] = [
    both(
        "Can every restore point be trusted? cargo xtask restore --list, and python -m pra verify \
         in a pod.",
        "Peut-on se fier à tous les points de restauration ? cargo xtask restore --list, et python \
         -m pra verify dans un pod.",
    ),
    both(
        "The two newest restore points are damaged: to restore one of them by its name would fail.",
        "Les deux derniers points de restauration sont endommagés : restaurer l'un d'eux par son \
         nom échouerait.",
    ),
    both(
        "cargo xtask restore latest passes them over and goes on with the journal",
        "cargo xtask restore latest les laisse de côté et continue avec le journal",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_three_hints_and_none_is_said_twice() {
        let all = of(FaultName::ALL);
        assert_eq!(all.len(), 3 * FaultName::ALL.len());
        let mut said: Vec<&str> = all.iter().map(|hint| hint.fr).collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), all.len());
    }
}
