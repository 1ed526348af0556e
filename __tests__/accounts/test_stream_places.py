"""Nobody opens more streams than his share, and what is closed is free again."""

import pytest

from cryptomarket.accounts.stream_places import StreamPlaces
from cryptomarket.errors import TooMany, Unavailable


def test_the_limit_of_a_user_is_told_as_429_and_does_not_count() -> None:
    """1000 streams each (here 2): the next one is refused, others are not."""
    places = StreamPlaces(per_user=2, per_address=9, per_process=9)
    held = [places.take("u_1", "a"), places.take("u_1", "a")]
    with pytest.raises(TooMany) as refused:
        places.take("u_1", "a")
    assert (refused.value.limit, refused.value.status) == (2, 429)
    assert refused.value.retry_after_s > 0
    assert (places.open, places.of_user("u_1")) == (2, 2)
    places.take("u_2", "a")
    held[0].release()
    places.take("u_1", "a")
    assert places.of_user("u_1") == 2


def test_an_address_and_the_process_have_limits_of_their_own() -> None:
    """Many users behind one address get 429; a full process says 503, for it is not the asker's fault."""
    places = StreamPlaces(per_user=9, per_address=1, per_process=2)
    places.take("u_1", "a")
    with pytest.raises(TooMany):
        places.take("u_2", "a")
    places.take("u_2", "b")
    with pytest.raises(Unavailable) as full:
        places.take("u_3", "c")
    assert full.value.retry_after_s > 0
    assert places.open == 2


def test_a_place_is_given_back_once_however_a_stream_ends() -> None:
    """An error inside the stream, and releasing twice, leave the count right."""
    places = StreamPlaces(per_user=1, per_address=1, per_process=1)
    place = places.take("u_1", "a")
    with pytest.raises(RuntimeError), place:
        raise RuntimeError("the stream broke")
    place.release()
    assert (places.open, places.of_user("u_1")) == (0, 0)
    with places.take("u_1", "a"):
        assert places.open == 1
    assert places.open == 0
