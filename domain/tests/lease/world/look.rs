//! All oracles are asked, and told what they cannot see themselves.

use super::{super::oracle::Debtor, World};
use std::collections::BTreeMap;

impl World {
    /// After every event.
    pub(super) fn look(&mut self) -> Result<(), String> {
        self.watch_debts();
        let tells = self.chief().is_some_and(|it| !it.leader.is_learning(it.clock.at(self.now_us)));
        if !tells {
            self.oracles.iter_mut().for_each(|it| it.nobody_tells(self.now_us));
        }
        self.oracles.iter().enumerate().try_for_each(|(limit, it)| it.look(self, limit))
    }

    /// Debts are only of limits of which more may be used than was taken.
    fn watch_debts(&mut self) {
        for limit in 0..self.limits.len() {
            if self.plan.rules[limit].used_percent.1 <= 100 {
                continue;
            }
            let (of, now_us) = (self.oracles[limit].of(), self.now_us);
            let mut levels = BTreeMap::new();
            for (index, node) in self.nodes.iter().enumerate().filter(|(_, it)| it.up) {
                let view = node.leases[limit].view(node.clock.at(now_us));
                if node.leases[limit].of() == of && view.live {
                    let (boot, incarnation) = (node.boot, view.incarnation);
                    let who = Debtor::Node { node: index, boot, incarnation };
                    levels.insert(who, view.level_milli);
                }
            }
            if let Some(chief) = self.chief()
                && let Some(pool) = chief.leader.status(chief.clock.at(now_us), of)
                && !pool.learning
            {
                levels.insert(Debtor::Leader(chief.leader.epoch()), pool.free_milli);
            }
            self.oracles[limit].watch(now_us, &levels);
        }
    }
}
