"""What the demo's letters are about."""

PEOPLE = (
    ("Ines Ferreira", "ines@ferreira.example"),
    ("Tobias Lindqvist", "tobias@lindqvist.example"),
    ("Linnea Okafor", "linnea.okafor@fernhill.example"),
    ("Priya Raman", "priya@raman.example"),
    ("Jonas Weber", "jonas.weber@seehaus.example"),
    ("Amélie Duroc", "amelie@duroc.example"),
    ("Kenji Watanabe", "kenji@watanabe.example"),
    ("Zofia Nowak", "zofia@nowak.example"),
    ("Samuel Adeyemi", "samuel@adeyemi.example"),
    ("Hanne Iversen", "hanne@slowletter.example"),
)

# Turns alternate: the other person, Maren, the other person…  A turn that starts with * carries a file.
THREADS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Proofs for the spring catalogue",
        (
            "*the first set is attached. Page 14 is still too dark, the rest I would print as it stands.",
            "Page 14 needs the second photograph. Could you try it with the horizon a finger lower?",
            "*the second set is attached. Page 14 still has the old horizon; the printer has the new one by noon.",
        ),
    ),
    (
        "Rehearsal moves to Thursday",
        (
            "the hall has a leak above the stage, so we take the small room on Thursday, seven o’clock.",
            "Thursday is fine. Shall I bring the folding chairs?",
            "Yes, twelve of them. And the lamp, if it still works.",
            "The lamp works again; it was the plug.",
        ),
    ),
    (
        "Kitchen tiles: the two that are left",
        (
            "*two are left: the matt one and the one with the blue edge. Samples came today, photograph attached.",
            "I would take the matt one. The samples look grey at noon and warm in the evening.",
            "Matt it is. Ordered, eleven square metres, here in three weeks.",
            "Eleven is enough with the corner left out?",
            "Enough, with one to spare.",
            "Then I write to the tiler.",
            "He says the second week of December.",
        ),
    ),
    ("Contract for the reading-room lamps", ("*clause 4 is fine with us now. If you sign by Friday, they deliver before the holidays.",)),
    ("Photos from the lake", ("*twelve for now. The heron came out better than I hoped.", "The heron goes on the wall. Thank you!")),
    (
        "The walk on Sunday",
        (
            "shall we take the old post road this time? It is nine kilometres to the inn.",
            "Gladly. The 8:40 train, and back by five?",
            "The 8:40. I bring the map.",
        ),
    ),
    ("Your translation", ("I have read the first forty pages and marked very little. Page 22 made me laugh out loud.", "Which line on page 22?")),
    (
        "Piano, third floor",
        (
            "the movers can bring the piano on the 4th or the 9th. The stairs are wide enough, they measured.",
            "The 9th, then the floor has dried.",
        ),
    ),
    ("Garden plot 17", ("the plot beside yours is free from January. Would your sister still want it?",)),
    (
        "Workshop in Aarhus",
        (
            "the workshop has a room for forty and sixty people asked. Two days instead of one?",
            "Two days, and the second for those who come from far.",
            "I ask the venue tonight.",
            "Good. I can take the second morning.",
            "The venue says yes, with lunch.",
        ),
    ),
    ("Recipe, as promised", ("the dough rests overnight, that is all the secret. Rye, water, salt, a spoon of honey.",)),
    ("Key for the studio", ("the second key hangs at Jonas’s. The door sticks when it rains; lift it a little.",)),
)  # fmt: skip

BULLETINS: tuple[tuple[tuple[str, str], str, tuple[str, ...], str], ...] = (
    (
        ("The Slow Letter", "post@slowletter.example"),
        "Walking the old post road",
        (
            "In the spring of 1785 a letter from the harbour to the mountain towns took five days, if the river was kind.",
            "The riders changed horses eleven times. Last month we walked the whole road, forty kilometres of it unpaved.",
            "Next week: who paid for a letter that nobody wanted to receive.",
        ),
        "#7a4a21",
    ),
    (
        ("Harbour Library", "news@harbourlibrary.example"),
        "New on the shelves",
        (
            "Forty-one new books this week, and the reading room is open until nine on Thursdays.",
            "The map collection can now be seen on the second floor, in the light from the north.",
        ),
        "#0b5e70",
    ),
    (
        ("Weather for Walkers", "daily@walkersweather.example"),
        "A dry weekend, then wind",
        (
            "Saturday and Sunday stay dry, with fog in the valleys until ten.",
            "From Monday on wind from the west, up to seven; take the lower path.",
        ),
        "#2f6b2f",
    ),
)

NOTICES: tuple[tuple[tuple[str, str], str, str], ...] = (
    (("Northwind Rail", "tickets@northwindrail.example"), "Your tickets to Aarhus, order {n}", "Coach 3, seats 41 and 42. Your tickets are attached; show the code on your phone or on paper."),
    (("Harbour Bank", "service@harbourbank.example"), "Your statement {n} is ready", "Sign in to read it. We never ask for your password by mail."),
    (("Build robot", "robot@builds.example"), "Build {n} passed on main", "All 1,204 checks passed in 6 minutes.\n\nNothing is left to do."),
    (("Parcel Post", "parcels@parcelpost.example"), "Parcel {n} arrives on {{day}}".replace("{{day}}", "its way"), "Your parcel {n} is on its way and arrives on {day} between nine and noon."),
    (("Fernhill Studio", "office@fernhill.example"), "Minutes of meeting {n}", "The minutes are attached. Objections until {day}, please to the whole list."),
    (("City Waterworks", "rechnung@waterworks.example"), "Invoice {n}", "Your invoice is attached. It is paid by direct debit; you need do nothing."),
    (("Lucky Wheel", "win@luckywheel.example"), "You have won prize {n}", "Claim it before midnight."),
)  # fmt: skip
