"""Two nodes of Apache Kafka with every topic on both, so that its leader can be moved."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import ElectionType, KafkaException
from confluent_kafka.admin import NewTopic

from lab.broker import BrokerError
from lab.kafka import Kafka
from lab.waiting import until

_WAIT = 20.0


class SecondNode(Kafka):
    def __init__(self, controller: Kafka, data: Path, port: int) -> None:
        super().__init__(data, port)
        self.node = 2
        self.controller = controller
        self.copies = controller.copies


class KafkaPair(Kafka):
    """The first node, which is also the controller and must live, and `second`, which may go.

    Clients are told of the first node alone, and learn of the second from it.
    """

    def __init__(self, data: Path, port: int, second_port: int) -> None:
        super().__init__(data, port)
        self.copies = 2
        self.second = SecondNode(self, data / "second", second_port)

    def launch(self) -> None:
        super().launch()
        self.second.launch()

    def wait(self) -> KafkaPair:
        super().wait()
        self.second.wait()
        return self

    def kill(self) -> None:
        self.second.kill()
        super().kill()

    def create(self, topic: str, leader: int) -> None:
        """With this node as the one that is preferred as its leader."""
        nodes = [leader, 3 - leader]
        made = NewTopic(topic, num_partitions=1, replica_assignment=[nodes])
        admin = self._admin()  # kept: without it its answers never come
        for done in admin.create_topics([made]).values():
            done.result(_WAIT)
        self.wait_led(topic, leader)

    def leader(self, topic: str) -> int:
        """The node that leads it; -1 while there is none."""
        try:
            found = self._admin().list_topics(topic, timeout=_WAIT).topics[topic].partitions
        except KafkaException as error:
            raise BrokerError(f"no leader of {topic}: {error}") from None
        return int(found[0].leader) if found else -1

    def wait_led(self, topic: str, node: int) -> None:
        def led() -> bool:
            leader = self.leader(topic)
            assert leader == node, f"{topic} is led by node {leader}"
            return True

        until(f"{topic} is led by node {node}", led, 30)

    def wait_in_step(self) -> None:
        """Until both nodes have all of every topic, as before an election."""

        def in_step() -> bool:
            topics = self._admin().list_topics(timeout=_WAIT).topics
            late = [name for name, it in topics.items() if len(it.partitions[0].isrs) < 2]
            assert not late, f"only on one node: {late}"
            return True

        until("both nodes are in step", in_step, 60)

    def prefer(self) -> None:
        """Makes the preferred node of every topic its leader, without ending anything."""
        self.wait_in_step()
        admin = self._admin()
        admin.elect_leaders(ElectionType.PREFERRED).result(_WAIT)
