"""First names, last names, phone ranges and products of the simulated clubs, by country.

Phone ranges are those that regulators reserve for fiction, where they do (Arcep: 06 39 98 and five landline
ranges; Bundesnetzagentur: its "drama numbers"), so that no real phone can ring.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Country:
    """The names, phone ranges and products of one country.

    :param phones: (E.164 prefix, number of digits after it); the digits are derived from the person's number.
    :param products: (product id, name).
    """

    female: tuple[str, ...]
    male: tuple[str, ...]
    last: tuple[str, ...]
    phones: tuple[tuple[str, int], ...]
    products: tuple[tuple[str, str], ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


FR = Country(
    female=_words(
        "Camille, Léa, Manon, Chloé, Inès, Sarah, Louise, Jade, Zoé, Élodie, Émilie, Aurélie, Céline,"
        "Nathalie, Sandrine, Isabelle, Sophie, Hélène, Anaïs, Margaux, Clémence, Juliette, Pauline,"
        "Marie, Anne-Sophie, Marie-Claude, Fatou, Aïcha, Yasmine, Noémie, Agathe, Océane, Mathilde,"
        "Valérie, Véronique, Delphine, Lucie, Charlotte, Rose, Eugénie"
    ),
    male=_words(
        "Lucas, Hugo, Louis, Gabriel, Raphaël, Arthur, Jules, Théo, Noé, Mathis, Maël, Antoine, Julien,"
        "Nicolas, Sébastien, Jérôme, Frédéric, Stéphane, Thierry, François, Jean-Pierre, Jean-Luc,"
        "Benoît, Cédric, Loïc, Yann, Karim, Mehdi, Mamadou, Bastien, Rémi, Grégoire, Étienne, Maxime,"
        "Clément, Quentin, Romain, Florian, Alexandre, Pierre-Yves"
    ),
    last=_words(
        "Martin, Bernard, Thomas, Petit, Robert, Richard, Durand, Dubois, Moreau, Laurent, Simon,"
        "Michel, Lefèvre, Leroy, Roux, David, Bertrand, Morel, Fournier, Girard, Bonnet, Dupont,"
        "Lambert, Fontaine, Rousseau, Vincent, Muller, Faure, André, Mercier, Blanc, Guérin, Boyer,"
        "Garnier, Chevalier, François, Legrand, Gauthier, Garcia, Perrin, Robin, Clément, Morin,"
        "Nicolas, Henry, Roussel, Mathieu, Gautier, Masson, Marchand, Duval, Denis, Dumont, Marie,"
        "Lemaire, Noël, Meyer, Dufour, Meunier, Brun, Blanchard, Giraud, Joly, Rivière, Lucas, Brunet,"
        "Gaillard, Barbier, Arnaud, Martinez, Gérard, Roche, Renard, Schmitt, Roy, Leroux, Colin, Vidal,"
        "Caron, Picard, Roger, Fabre, Aubert, Lemoine, Renaud, Dumas, Lacroix, Olivier, Philippe,"
        "Bourgeois, Pierre, Benoît, Rey, Leclerc, Payet, Rolland, Leclercq, Guillaume, Lecomte, Lopez,"
        "Jean, Dupuy, Guillot, Hubert, Berger, Carpentier, Sanchez, Dupuis, Moulin, Louis, Deschamps,"
        "Huet, Vasseur, Perez, Boucher, Fleury, Royer, Klein, Jacquet, Adam, Paris, Poirier, Marty,"
        "Aubry, Guyot, Carré, Charles, Renault, Charpentier, Ménard, Maillard, Baron, Bertin, Bailly,"
        "Hervé, Schneider, Fernandez, Le Gall, Collet, Léger, Bouvier, Julien, Prévost, Millet, Perrot,"
        "Daniel, Le Roux, Cousin, Germain, Breton, Besson, Langlois, Rémy, Le Goff, Pelletier, Lévêque,"
        "Perrier, Leblanc, Barré, Lebrun, Marchal, Weber, Mallet, Hamon, Boulanger, Jacob, Monnier,"
        "Michaud, Rodriguez, Guichard, Gillet, Étienne, Grondin, Poulain, Tessier, Chevallier, Collin,"
        "Chauvin, Da Silva, Bouchet, Gay, Lemaître, Bénard, Maréchal, Humbert, Reynaud, Antoine, Hoarau,"
        "Perret, Barthélemy, Cordier, Pichon, Lejeune, Gilbert, Lamy, Delaunay, Pasquier, Carlier,"
        "de La Tour, Diallo, Traoré, N'Guyen, Benali, d'Aubigny"
    ),
    phones=(
        ("+3363998", 4),
        ("+3319900", 4),
        ("+3326191", 4),
        ("+3335301", 4),
        ("+3346571", 4),
        ("+3353649", 4),
    ),
    products=(
        ("annual", "Abonnement annuel"),
        ("monthly", "Abonnement mensuel"),
        ("ten", "Carnet 10 entrées"),
        ("student", "Étudiant"),
        ("family", "Famille & Enfants"),
        ("coaching", "Coaching privé"),
        ("old", "Ancien tarif 2019"),
    ),
)

ES = Country(
    female=_words(
        "María, Carmen, Ana, Isabel, Laura, Cristina, Marta, Lucía, Paula, Elena, Raquel, Sara, Pilar,"
        "Rocío, Beatriz, Andrea, Alba, Irene, Nuria, Silvia, Inés, Begoña, Ángela, Sofía, Itziar,"
        "María José, Ana Belén, Noelia, Montserrat, Aitana"
    ),
    male=_words(
        "Antonio, José, Manuel, Francisco, David, Juan, Javier, Daniel, Carlos, Jesús, Alejandro,"
        "Miguel, Rafael, Pedro, Pablo, Ángel, Sergio, Fernando, Jorge, Luis, Alberto, Álvaro, Diego,"
        "Adrián, Iván, Rubén, Óscar, José María, Juan Carlos, Íñigo"
    ),
    last=_words(
        "García, Rodríguez, González, Fernández, López, Martínez, Sánchez, Pérez, Gómez, Martín,"
        "Jiménez, Ruiz, Hernández, Díaz, Moreno, Muñoz, Álvarez, Romero, Alonso, Gutiérrez, Navarro,"
        "Torres, Domínguez, Vázquez, Ramos, Gil, Ramírez, Serrano, Blanco, Molina, Suárez, Ortega,"
        "Delgado, Castro, Ortiz, Rubio, Marín, Sanz, Núñez, Iglesias, Medina, Garrido, Cortés, Castillo,"
        "Santos, Lozano, Guerrero, Cano, Prieto, Méndez, Cruz, Gallego, Herrera, Peña, León, Márquez,"
        "Cabrera, Flores, Campos, Vega, Fuentes, Carrasco, Diez, Reyes, Caballero, Nieto, Aguilar,"
        "Pascual, Herrero, Santana, Lorenzo, Hidalgo, Montero, Ibáñez, Giménez, Ferrer, Durán, Vicente,"
        "Benítez, Mora, Arias, Vargas, Carmona, Crespo, Román, Pastor, Soto, Sáez, de la Fuente,"
        "Goñi, Etxeberria, Puig, Vila, Roca, Bosch"
    ),
    phones=(("+346000", 5),),
    products=(
        ("annual", "Abono anual"),
        ("monthly", "Abono mensual"),
        ("ten", "Bono 10 pistas"),
        ("student", "Joven"),
        ("family", "Familia"),
        ("coaching", "Clases de pádel"),
        ("old", "Tarifa antigua 2019"),
    ),
)

DE = Country(
    female=_words(
        "Anna, Lena, Laura, Julia, Katharina, Sarah, Lisa, Hannah, Marie, Sophie, Johanna, Franziska,"
        "Sabine, Petra, Monika, Ursula, Claudia, Jürgine, Käthe, Bärbel, Jana, Theresa, Paula, Emma,"
        "Mia, Leonie, Anke, Heike, Anne-Kathrin, Özlem"
    ),
    male=_words(
        "Lukas, Leon, Finn, Jonas, Paul, Elias, Felix, Maximilian, Noah, Ben, Thomas, Michael, Andreas,"
        "Stefan, Christian, Jörg, Jürgen, Günther, Wolfgang, Klaus, Uwe, Sören, Björn, Matthias, Tobias,"
        "Sebastian, Karl-Heinz, Hans-Peter, Mehmet, Kemal"
    ),
    last=_words(
        "Müller, Schmidt, Schneider, Fischer, Weber, Meyer, Wagner, Becker, Schulz, Hoffmann, Schäfer,"
        "Koch, Bauer, Richter, Klein, Wolf, Schröder, Neumann, Schwarz, Zimmermann, Braun, Krüger,"
        "Hofmann, Hartmann, Lange, Schmitt, Werner, Schmitz, Krause, Meier, Lehmann, Schmid, Schulze,"
        "Maier, Köhler, Herrmann, König, Walter, Mayer, Huber, Kaiser, Fuchs, Peters, Lang, Scholz,"
        "Möller, Weiß, Jung, Hahn, Schubert, Vogel, Friedrich, Keller, Günther, Frank, Berger, Winkler,"
        "Roth, Beck, Lorenz, Baumann, Franke, Albrecht, Schuster, Simon, Ludwig, Böhm, Winter, Kraus,"
        "Martin, Schumacher, Krämer, Vogt, Stein, Jäger, Otto, Sommer, Groß, Seidel, Heinrich, Brandt,"
        "Haas, Schreiber, Graf, Schulte, Dietrich, Ziegler, Kuhn, Kühn, Pohl, Engel, Horn, Busch,"
        "Bergmann, Yılmaz, von der Heide, Großmann, Strauß"
    ),
    phones=(
        ("+493023125", 3),
        ("+496990009", 3),
        ("+494066969", 3),
        ("+492214710", 3),
        ("+498999998", 3),
    ),
    products=(
        ("annual", "Jahresmitgliedschaft"),
        ("monthly", "Monatsabo"),
        ("ten", "10er-Block"),
        ("student", "Studierende"),
        ("family", "Familie"),
        ("coaching", "Privatstunden"),
        ("old", "Alttarif 2019"),
    ),
)

COUNTRIES = {"FR": FR, "ES": ES, "DE": DE, "AT": DE}
