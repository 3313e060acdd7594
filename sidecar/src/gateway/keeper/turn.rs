//! Owners' shares and rooms: what each room has of its owner's share, and who may go on.

use tokio::time::Instant;

use crate::gateway::keeper::house::House;
use crate::gateway::keeper::room::Room;
use crate::gateway::keeper::share::Turns;
use crate::gateway::port::Holder;
use crate::gateway::standing::{Reason, Standing};

impl House {
    /// Counts a room as it is now. It is called whenever one changed, and changes nothing where it did not.
    pub(super) fn reckon(&mut self, holder: &Holder) {
        self.share.set(holder, self.rooms.get(holder).and_then(Room::stake));
    }

    /// The same, for all rooms.
    pub(super) fn reckon_all(&mut self) {
        for (holder, room) in &self.rooms {
            self.share.set(holder, room.stake());
        }
    }

    /// Lets those go on for whom their owners' shares have room, and says of the others that there is none.
    pub(super) fn give_turns(&mut self, now: Instant) {
        // Until the ledger was read, nobody knows who has ports of an earlier life, which they keep.
        if !self.is_listed {
            return;
        }
        let Turns { admitted, refused } = self.share.turns(now);
        for holder in admitted {
            let Some(room) = self.rooms.get_mut(&holder) else { continue };
            room.is_admitted = true;
            if room.failure == Some(Reason::OwnerLimit) {
                room.succeeded();
                self.keeper.board.say(&holder, Standing::Pending(None));
            }
        }
        for holder in refused {
            let Some(room) = self.rooms.get_mut(&holder) else { continue };
            let is_news = room.failure.replace(Reason::OwnerLimit) != Some(Reason::OwnerLimit);
            self.keeper.board.say(&holder, Standing::Failed(Reason::OwnerLimit));
            self.keeper.metrics.gateway.failed(Reason::OwnerLimit.code());
            if is_news {
                tracing::warn!(
                    service.id = room.wanted.as_ref().map(|service| service.id.to_string()),
                    service.owner = room.owner.as_deref(),
                    reason = Reason::OwnerLimit.code(),
                    "the owner's services have as many ports as those of one owner may: end some, or raise \
                     `internal_task_gateway.ports_per_owner`"
                );
            }
        }
    }

    /// Says of those who wait until it is known who holds what, and what listens, that it can't be said.
    pub(super) fn say_unavailable(&self) {
        let waits = |room: &Room| !self.is_swept && room.wanted.is_some() && room.failure != Some(Reason::OwnerLimit);
        for (holder, _) in self.rooms.iter().filter(|(_, room)| waits(room)) {
            self.keeper.board.say(holder, Standing::Pending(Some(Reason::Unavailable)));
        }
    }
}
